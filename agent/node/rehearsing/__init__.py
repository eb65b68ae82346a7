"""A rehearsal of a standby on this node: ``rehearsal_world`` does its steps, ``on_stage`` runs the probe, ``last_rehearsal``
keeps how it ended, ``scheduled_rehearsal`` begins one when it is due."""
