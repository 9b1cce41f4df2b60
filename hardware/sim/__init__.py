"""The simulated line: the reference line with fruit whose truth is known. Real drivers never import it.

simulate    a recording with truth, or a loop of pictures for a live line
crew        several processes that draw
line        what lies in each cup, what camera, scale and spectrometer show, the truth
  reference, occupancy, motion, levels    devices; which fruit in which cup; how it turns; disturbances
  fruit       one fruit: body, skin, mass, sugar
    varieties, bodies                     forms and colours; closed surfaces with exact measures
    skin, painting, lesions, recipes      reflectance over the true area; sound skin; damage
    litter                                stickers and drops on fruit
  render, light, belt                     one view of one fruit; lamps and camera; what lies under the fruit
  scale, spectrometer                     sensors
live, board, gates, pty_port, referee     the line as a process of its own; where each fruit landed
heldout                                   what no training may import
"""
