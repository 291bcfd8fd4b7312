-- How far the sink has come, and what detect and respond need to go on after a crash.

create table sink_offsets (
  topic text collate "C" not null,
  partition integer not null,
  next_offset bigint not null check (next_offset >= 0),
  stored_at timestamptz not null default now(),
  primary key (topic, partition)
);
comment on table sink_offsets is 'First offset not stored yet; written in the transaction that stores the rows below it';

-- Records of our own topics that are not what their contract says. They are kept here rather than stop the sink.
create table unreadable (
  topic text collate "C" not null,
  partition integer not null,
  record_offset bigint not null,
  record_time timestamptz not null,
  reason text not null,
  key bytea,
  value bytea,
  value_bytes bigint not null,
  stored_at timestamptz not null default now(),
  primary key (topic, partition, record_offset, record_time)
);
comment on column unreadable.value is 'As read, cut after 256 KiB';

create table checkpoints (
  task text collate "C" primary key,
  incarnation text collate "C" not null,
  digest text collate "C" not null,
  next_offset bigint not null check (next_offset >= 0),
  watermark_ms bigint,
  stored_at timestamptz not null default now()
);
comment on table checkpoints is 'One row for each task of detect and respond; next_offset only grows';

create table checkpoint_parts (
  task text collate "C" not null,
  part text collate "C" not null,
  bytes bytea not null,
  primary key (task, part)
);
-- State is dense bytes: compressing it costs more than it saves.
alter table checkpoint_parts alter column bytes set storage external;

create table configurations (
  digest text collate "C" primary key,
  stage text collate "C" not null,
  body json not null,
  stored_at timestamptz not null default now()
);
comment on table configurations is 'What a digest stands for: recovery runs under the digest named in the checkpoint';
