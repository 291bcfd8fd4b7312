-- What verdicts were judged against: a learned reference is told once on the topic measurements, before the first
-- measurement that names it. One too large for a message is several records; the first has the reference's own id.
create table learned_references (
  id text collate "C" primary key,
  reference_id text collate "C" not null,
  time timestamptz not null,
  tenant text collate "C" not null,
  entity text collate "C" not null,
  kind text collate "C" not null,
  source text collate "C" not null,
  learned_from timestamptz not null,
  record json not null,
  stored_at timestamptz not null default now()
);
create index learned_references_reference on learned_references (reference_id);
create index learned_references_entity on learned_references (tenant, entity, source);
comment on table learned_references is 'Learned references of entities (topic measurements); they stay as long as their entity does';
comment on column learned_references.reference_id is 'What measurements name';
comment on column learned_references.time is 'End of the event time that it was learned from';
