"""A rehearsal of a standby on this node: ``rehearsal_kind`` is what the runner of steps knows, ``rehearsal_world`` does them,
``on_stage`` runs the probe, ``last_rehearsal`` keeps how it ended, ``scheduled_rehearsal`` begins one when it is due."""
