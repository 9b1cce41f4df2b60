"""What devices and keepers promise, in the house's own words. One small protocol per kind."""

from grader.ports.devices import Camera, Encoder, GateBoard, Sensors
from grader.ports.helpers import SkinMaps
from grader.ports.keepers import Journal, PictureKeeper

__all__ = ["Camera", "Encoder", "GateBoard", "Journal", "PictureKeeper", "Sensors", "SkinMaps"]
