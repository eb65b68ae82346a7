"""What of this host would break replication now, or a failover later?

Each module looks at one thing: ``look_at_…`` gathers facts from the machine, changes nothing, and needs no agent; ``judge_…``
is pure and makes a ``Diagnosis`` of each fact. ``examination`` does all of them. What could not be looked at is said, never
passed over."""
