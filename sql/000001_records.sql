-- What the public topics say, as tables. `record` is the record's text exactly as it stands on the topic: json, not
-- jsonb, keeps every byte (and takes escapes of NUL, which jsonb refuses). The other columns are there to be searched.
--
-- Names may take 768 bytes each; a key of four of them would not fit a btree page, so keys hold ids.
-- `stored_at` is the wall clock: retention of a backfill of 2014 counts from the day that it was stored.

create table measurements (
  id text collate "C" not null,
  time timestamptz not null,
  tenant text collate "C" not null,
  entity text collate "C" not null,
  kind text collate "C" not null,
  source text collate "C" not null,
  window_start timestamptz not null,
  row_count bigint not null,
  status text collate "C" not null,
  record json not null,
  stored_at timestamptz not null default now(),
  primary key (id, time)
);
create index measurements_entity on measurements (tenant, entity, time desc);
create index measurements_time on measurements (time desc);
comment on table measurements is 'One evaluation of one entity: every verdict, vote and roll-up (topic measurements)';
comment on column measurements.time is 'End of the slide at which it was evaluated (event time)';
comment on column measurements.status is 'Worst status of its votes: drift, warning, stable, insufficient';

create table measurement_features (
  measurement_id text collate "C" not null,
  time timestamptz not null,
  tenant text collate "C" not null,
  entity text collate "C" not null,
  kind text collate "C" not null,
  source text collate "C" not null,
  feature text collate "C" not null,
  vote text collate "C",
  problem text collate "C",
  status text collate "C" not null,
  score double precision not null,
  drift_score double precision,
  row_count bigint not null,
  null_count bigint,
  mean double precision,
  standard_deviation double precision,
  min double precision,
  max double precision,
  p50 double precision,
  p95 double precision,
  p99 double precision,
  hits bigint,
  trials bigint,
  stored_at timestamptz not null default now(),
  primary key (measurement_id, feature, time)
);
create index measurement_features_entity on measurement_features (tenant, entity, time desc);
create index measurement_features_time on measurement_features (time desc);
comment on table measurement_features is 'One feature of one evaluation: what heatmaps and charts read';
comment on column measurement_features.vote is 'The worst of the votes held over the feature; null where none is';
comment on column measurement_features.score is 'Score of that vote; without a vote the largest score of a verdict';
comment on column measurement_features.drift_score is 'Largest score of its votes on drift; null where none is';
comment on column measurement_features.row_count is 'Of the last slide, like all numbers that follow';

-- What the entity list reads, so that it needs no scan of all measurements.
create table entities (
  tenant text collate "C" not null,
  entity text collate "C" not null,
  source text collate "C" not null,
  kind text collate "C" not null,
  time timestamptz not null,
  status text collate "C" not null,
  score double precision not null,
  measurement_id text collate "C" not null,
  stored_at timestamptz not null default now(),
  primary key (tenant, entity, source)
);
comment on table entities is 'The newest evaluation of each entity of each source';

create table incidents (
  id text collate "C" primary key,
  version integer not null,
  tenant text collate "C" not null,
  kind text collate "C" not null,
  status text collate "C" not null,
  severity text collate "C" not null,
  title text not null,
  opened_at timestamptz not null,
  updated_at timestamptz not null,
  closed_at timestamptz,
  record json not null,
  stored_at timestamptz not null default now()
);
create index incidents_opened on incidents (opened_at desc, id desc);
create index incidents_tenant on incidents (tenant, opened_at desc, id desc);
comment on table incidents is 'The latest version of each incident (topic incidents)';

create table incident_versions (
  id text collate "C" not null,
  version integer not null,
  tenant text collate "C" not null,
  change text collate "C" not null,
  updated_at timestamptz not null,
  record json not null,
  stored_at timestamptz not null default now(),
  primary key (id, version)
);
comment on table incident_versions is 'Every version of each incident';

create table approvals (
  command_id text collate "C" primary key,
  incident_id text collate "C" not null,
  incident_version integer not null,
  tenant text collate "C" not null,
  state text collate "C" not null,
  proposal_digest text collate "C" not null,
  requested_at timestamptz not null,
  updated_at timestamptz not null,
  expires_at timestamptz,
  title text not null,
  severity text collate "C" not null,
  remediation json not null,
  stored_at timestamptz not null default now()
);
create index approvals_state on approvals (state, requested_at desc, command_id desc);
create index approvals_incident on approvals (incident_id);
comment on table approvals is 'Each remedy that an incident proposed and where it stands: derived from incidents';

create table decisions (
  id text collate "C" primary key,
  command_id text collate "C" not null,
  incident_id text collate "C" not null,
  tenant text collate "C" not null,
  principal text collate "C" not null,
  decision text collate "C" not null,
  decided_at timestamptz not null,
  stored_at timestamptz not null default now()
);
create index decisions_command on decisions (command_id);
create index decisions_incident on decisions (incident_id);
comment on table decisions is 'Answers of people that respond accepted: derived from incidents';
comment on column decisions.decided_at is 'Event time of the version of the incident that first held it';

create table commands (
  id text collate "C" primary key,
  tenant text collate "C" not null,
  incident_id text collate "C" not null,
  action text collate "C" not null,
  target text collate "C" not null,
  not_after timestamptz not null,
  record json not null,
  stored_at timestamptz not null default now()
);
create index commands_incident on commands (incident_id);
comment on table commands is 'What was commanded (topic commands)';

create table audit (
  id text collate "C" primary key,
  tenant text collate "C" not null,
  sequence bigint not null,
  time timestamptz not null,
  event text collate "C" not null,
  incident_id text collate "C",
  record json not null,
  stored_at timestamptz not null default now()
);
-- Not unique: should a chain ever fork, the table has to show both sides.
create index audit_sequence on audit (tenant, sequence);
comment on table audit is 'The hash-chained audit (topic audit): one chain for each tenant';

-- A plain table: a dead letter that is repeated after a crash has the same id, but another append time.
create table dead_letters (
  id text collate "C" primary key,
  time timestamptz not null,
  source text collate "C" not null,
  partition integer not null,
  record_offset bigint not null,
  code text collate "C" not null,
  reason text not null,
  record json not null,
  stored_at timestamptz not null default now()
);
create index dead_letters_time on dead_letters (time desc);
comment on table dead_letters is 'Source records that were not folded, and why (topic dead-letters)';

do $$
begin
  -- 'on' where the migrator found the extension; the same tables serve without it.
  if current_setting('sentinel.timescale', true) = 'on' then
    perform create_hypertable('measurements', 'time', chunk_time_interval => interval '7 days', create_default_indexes => false);
    perform create_hypertable('measurement_features', 'time', chunk_time_interval => interval '7 days', create_default_indexes => false);
  end if;
end
$$;
