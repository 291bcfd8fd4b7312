-- How good models are, as far as labels tell: the newest counts of each slot of time, as each task of join has them. Whoever
-- asks adds up the tasks first, and divides then.

create table model_quality (
  series text collate "C" not null,
  task integer not null,
  slot_start timestamptz not null,
  slot_end timestamptz not null,
  tenant text collate "C" not null,
  entity text collate "C" not null,
  source text collate "C" not null,
  model text collate "C" not null,
  version text collate "C" not null,
  segment text collate "C",
  as_of timestamptz not null,
  predictions bigint not null,
  labelled bigint not null,
  correct bigint not null,
  unlabelled bigint not null,
  slot json not null,
  stored_at timestamptz not null default now(),
  primary key (series, task, slot_start)
);
create index model_quality_entity on model_quality (tenant, entity, slot_start desc);
create index model_quality_time on model_quality (slot_start desc);
comment on table model_quality is 'Predictions of a model and their labels, counted by slots of the predictions'' time (topic model-quality)';
comment on column model_quality.series is 'Hash of tenant, source, entity, model, version and segment';
comment on column model_quality.as_of is 'Event time up to which predictions and labels are counted';
comment on column model_quality.unlabelled is 'Predictions whose label did not come within the horizon';
