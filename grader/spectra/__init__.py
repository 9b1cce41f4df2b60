"""Soluble solids from spectra: arrays in, arrays out. The fit that makes a model is `calibration.sugar`."""
