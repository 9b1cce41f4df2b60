"""How hard the simulated line makes it: ideal, static, changing. Every disturbance is a number in this file only."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of disturbance. Zero everywhere is the ideal line.

    Motion
        turn_spread: SD from fruit to fruit of the turn per pulse, as a share of the nominal turn.
        slip_share: SD from frame to frame of the turn, as a share of that fruit's turn.
        axis_sd_deg: SD of the angle between the stem-calyx axis and the turning axis.
        any_axis_share: share of fruit that lie any way instead.
        seat_sd_mm: SD of the seat along and across the belt. wobble_sd_mm: SD of the shift from frame to frame.
    Light and camera
        light_uneven: the light over the field is within 1 +- this. light_drift_per_hour: its change, as a share.
        nir_drift_per_hour: that of the nir lamp, which ages on its own.
        gloss_low, gloss_high: share of a fruit's outline that is specular gloss.
        noise_sd_counts: SD of the noise of a pixel. exposure_us: how long the shutter is open, 0 freezes motion.
    Things that are not skin
        belt_dirt: dirt, water drops, leaves and labels lie on the belt. fruit_dirt: stickers, drops and dust are
        on fruit too.
    Sensors
        scale_sd_g: SD of one weighing. tare_sd_g: SD of the tare from cup to cup, the same on every round of the chain.
        scale_drift_g_per_hour: how the zero of the scale wanders.
        spectral_noise: SD of a channel's noise as a share of full scale; also how much scatter and path length vary.
        fruit_temp_mean_c; fruit_temp_sd_c: SD of the pulp's temperature; fruit_temp_span_c: bound of its distance from
        the mean. instrument_drift_per_hour: change of lamp and wavelengths of the spectrometer, as a share.
    """

    name: str
    turn_spread: float = 0.0
    slip_share: float = 0.0
    axis_sd_deg: float = 0.0
    any_axis_share: float = 0.0
    seat_sd_mm: float = 0.0
    wobble_sd_mm: float = 0.0
    light_uneven: float = 0.0
    light_drift_per_hour: float = 0.0
    nir_drift_per_hour: float = 0.0
    gloss_low: float = 0.0
    gloss_high: float = 0.0
    noise_sd_counts: float = 0.0
    exposure_us: float = 0.0
    belt_dirt: bool = False
    fruit_dirt: bool = False
    scale_sd_g: float = 0.0
    tare_sd_g: float = 0.0
    scale_drift_g_per_hour: float = 0.0
    spectral_noise: float = 0.0
    fruit_temp_mean_c: float = 20.0
    fruit_temp_sd_c: float = 0.0
    fruit_temp_span_c: float = 0.0
    instrument_drift_per_hour: float = 0.0


IDEAL = Level(name="ideal")

STATIC = Level(
    name="static",
    turn_spread=0.15,
    slip_share=0.01,
    axis_sd_deg=15.0,
    seat_sd_mm=2.5,
    wobble_sd_mm=0.3,
    light_uneven=0.15,
    gloss_low=0.01,
    gloss_high=0.03,
    noise_sd_counts=2.0,
    exposure_us=300.0,
    belt_dirt=True,
    scale_sd_g=1.0,
    spectral_noise=0.002,
)

CHANGING = Level(
    name="changing",
    turn_spread=0.15,
    slip_share=0.03,
    axis_sd_deg=15.0,
    any_axis_share=0.3,
    seat_sd_mm=2.5,
    wobble_sd_mm=0.6,
    light_uneven=0.15,
    light_drift_per_hour=0.05,
    nir_drift_per_hour=0.03,
    gloss_low=0.01,
    gloss_high=0.03,
    noise_sd_counts=2.0,
    exposure_us=300.0,
    belt_dirt=True,
    fruit_dirt=True,
    scale_sd_g=1.0,
    tare_sd_g=0.7,
    scale_drift_g_per_hour=0.3,
    spectral_noise=0.002,
    fruit_temp_sd_c=5.0,
    fruit_temp_span_c=10.0,
    instrument_drift_per_hour=0.01,
)

FAULTS = replace(CHANGING, name="faults")
"""The same, and one thing after the other goes wrong (`hardware.sim.faults`)."""

LEVELS: dict[str, Level] = {level.name: level for level in (IDEAL, STATIC, CHANGING, FAULTS)}
"""By the name that `--level` takes."""
