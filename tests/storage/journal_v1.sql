-- A journal as the first version of the program left it: its own dump.
BEGIN TRANSACTION;
CREATE TABLE fruit (
        run INTEGER NOT NULL REFERENCES run (id),
        lane INTEGER NOT NULL,
        cup INTEGER NOT NULL,
        lot TEXT NOT NULL,
        grade TEXT NOT NULL,
        size TEXT NOT NULL,
        outlet INTEGER NOT NULL,
        reasons TEXT NOT NULL,
        flags INTEGER NOT NULL,
        gate_outcome TEXT NOT NULL,
        diameter_mm REAL, height_mm REAL, volume_ml REAL, mass_g REAL, blush_fraction REAL, ground_hue_deg REAL, defect_area_mm2 REAL, defect_count REAL, largest_defect_mm2 REAL, defect_fraction REAL, shape_index REAL, roundness REAL, skin_seen REAL, turn_deg REAL, ssc_brix REAL, ssc_brix_sd REAL, density_g_per_ml REAL,
        UNIQUE (lane, cup)
    ) STRICT;
INSERT INTO "fruit" VALUES(1,0,1,'2026-11-22/1','Extra','70-75',3,'["Extra: blush_fraction 0.31 < 0.5","Class I; 底色: 102.0 > 100"]',2064,'',0.37,1.37,2.4,3.37,4.37,5.4,6.4,7.0,8.4,9.37,10.37,11.37,12.37,13.37,NULL,15.37,16.37);
INSERT INTO "fruit" VALUES(1,0,2,'2026-11-22/1','Extra','70-75',3,'["Extra: blush_fraction 0.31 < 0.5","Class I; 底色: 102.0 > 100"]',2064,'',0.74,1.74,2.7,3.74,4.74,5.7,6.7,8.0,8.7,9.74,10.74,11.74,12.74,13.74,NULL,15.74,16.74);
INSERT INTO "fruit" VALUES(1,1,7,'2026-11-22/1','Extra','70-75',3,'["Extra: blush_fraction 0.31 < 0.5","Class I; 底色: 102.0 > 100"]',2064,'',2.59,3.59,4.6,5.59,6.59,7.6,8.6,10.0,10.6,11.59,12.59,13.59,14.59,15.59,NULL,17.59,18.59);
CREATE TABLE outcome (
        id INTEGER PRIMARY KEY,
        lane INTEGER NOT NULL,
        cup INTEGER NOT NULL,
        outlet INTEGER NOT NULL,
        open_pulse INTEGER NOT NULL,
        close_pulse INTEGER NOT NULL,
        fired_pulse INTEGER,
        result TEXT NOT NULL,
        reason TEXT NOT NULL
    ) STRICT;
INSERT INTO "outcome" VALUES(1,0,1,3,3248,3344,3248,'fired','');
INSERT INTO "outcome" VALUES(2,1,7,3,3824,3920,NULL,'void','board restarted');
CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        started_wall_s REAL NOT NULL,
        versions TEXT NOT NULL,
        hashes TEXT NOT NULL,
        installation TEXT NOT NULL
    ) STRICT;
INSERT INTO "run" VALUES(1,1795000000.25,'{"grader":"0.1.0","numpy":"2.4.6","opencv":"5.0.0","python":"3.11.7"}','{"sheet":"abababababababababababababababababababababababababababababababab","calibration":"cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd","settings":"efefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefef","sugar":"0101010101010101010101010101010101010101010101010101010101010101"}','{"fruit":"apple","line":{"lanes":4,"pulses_per_cup":96,"mm_per_pulse":1.0,"cups_per_second":12.0,"cups_per_chain":null,"first_cup":0},"cameras":{"top":{"width_px":1280,"height_px":610,"bands":["blue","green","red"],"mm_per_px":0.8,"cup_zero_px":[0.0,80.0],"lane_pitch_px":150.0,"pulses_per_frame":48,"lens_above_mm":null,"optical_centre_px":null,"seat":null,"turn_deg_per_pulse":null,"transfer":"srgb"}},"variety":"","note":"","spectrometers":{},"scale":null,"gates":{"outlets":8,"first_mm":2000.0,"pitch_mm":600.0,"decision_mm":1500.0,"lead_pulses":60,"opening_ms":30.0,"closing_ms":30.0},"lots":[],"artefacts":[]}');
CREATE INDEX outcome_of_fruit ON outcome (lane, cup);
CREATE TRIGGER run_no_update BEFORE UPDATE ON run
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
CREATE TRIGGER run_no_delete BEFORE DELETE ON run
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
CREATE TRIGGER fruit_no_update BEFORE UPDATE ON fruit
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
CREATE TRIGGER fruit_no_delete BEFORE DELETE ON fruit
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
CREATE TRIGGER outcome_no_update BEFORE UPDATE ON outcome
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
CREATE TRIGGER outcome_no_delete BEFORE DELETE ON outcome
        BEGIN SELECT RAISE(ABORT, 'the journal is only added to'); END;
COMMIT;
PRAGMA application_id = 1179800916;
PRAGMA user_version = 1;
