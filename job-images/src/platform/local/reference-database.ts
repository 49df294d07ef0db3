/**
 * The application that the local drill protects: what architect-go's database looks like, with the kinds of object that
 * a real one has. Fixed random seeds: the same data on every run.
 */
export const referenceRoles = `
CREATE ROLE architect_owner NOLOGIN;
CREATE ROLE architect LOGIN CONNECTION LIMIT 50;
CREATE ROLE reporting LOGIN;
GRANT architect_owner TO architect;
ALTER ROLE reporting SET statement_timeout = '30s';
`;

/** Settings of the database itself, which a dump restored under another name loses. */
export function referenceDatabaseSettings(name: string): string {
  return `
ALTER DATABASE ${name} SET search_path TO app, public;
ALTER DATABASE ${name} SET default_statistics_target TO 150;
COMMENT ON DATABASE ${name} IS 'architect-go';
REVOKE CONNECT ON DATABASE ${name} FROM PUBLIC;
GRANT CONNECT ON DATABASE ${name} TO architect, reporting;
`;
}

/** Rows of each table, for a scale of 1. */
const rows = { users: 20_000, projects: 60_000, tasks: 200_000, events: 120_000 };

/** Schema and data. @param scale multiplies the rows; 1 is about 100 MB on disk */
export function referenceSchema(scale: number): string {
  const count = (table: keyof typeof rows): number => Math.max(10, Math.round(rows[table] * scale));
  return `
CREATE EXTENSION pgcrypto SCHEMA public;
CREATE EXTENSION pg_trgm SCHEMA public;
CREATE SCHEMA app AUTHORIZATION architect_owner;
GRANT USAGE ON SCHEMA app TO reporting;
SET ROLE architect_owner;
SET search_path = app, public;
SET synchronous_commit = off;

CREATE TYPE task_state AS ENUM ('open', 'in progress', 'blocked', 'done');
CREATE DOMAIN email_address AS text CHECK (VALUE LIKE '%_@_%');

CREATE TABLE users (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email email_address NOT NULL UNIQUE,
  name text NOT NULL,
  settings jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE projects (
  id bigserial PRIMARY KEY,
  user_id bigint NOT NULL REFERENCES users,
  name text NOT NULL,
  budget numeric(12, 2) NOT NULL DEFAULT 0 CHECK (budget >= 0),
  tags text[] NOT NULL DEFAULT '{}',
  UNIQUE (user_id, name)
);
CREATE TABLE tasks (
  id bigserial PRIMARY KEY,
  project_id bigint NOT NULL REFERENCES projects ON DELETE CASCADE,
  title text NOT NULL,
  body text,
  state task_state NOT NULL DEFAULT 'open',
  estimate_minutes int,
  estimate_hours numeric GENERATED ALWAYS AS (estimate_minutes / 60.0) STORED,
  updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE events (
  id bigserial,
  at timestamptz NOT NULL,
  kind text NOT NULL,
  detail jsonb,
  PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE TABLE events_2026_10 PARTITION OF events FOR VALUES FROM ('2026-10-01Z') TO ('2026-11-01Z');
CREATE TABLE events_2026_11 PARTITION OF events FOR VALUES FROM ('2026-11-01Z') TO ('2026-12-01Z');
CREATE TABLE events_rest PARTITION OF events DEFAULT;

SELECT setseed(0.42);
INSERT INTO users (email, name, settings)
  SELECT 'user' || i || '@example.org', initcap(md5(i::text)), jsonb_build_object('theme', i % 3, 'langue', 'français')
  FROM generate_series(1, ${count("users")}) AS i;
INSERT INTO projects (user_id, name, budget, tags)
  SELECT 1 + (i % ${count("users")}), 'project ' || i, (random() * 10000)::numeric(12, 2), ARRAY['tag' || i % 50, 'größe']
  FROM generate_series(1, ${count("projects")}) AS i;
INSERT INTO tasks (project_id, title, body, state, estimate_minutes)
  SELECT 1 + (i % ${count("projects")}), 'task ' || i, md5(i::text) || ' ' || md5('b' || i) || ' ' || md5('c' || i) || ' a task like many others', (enum_range(NULL::task_state))[1 + i % 4], i % 480
  FROM generate_series(1, ${count("tasks")}) AS i;
INSERT INTO events (at, kind, detail)
  SELECT timestamptz '2026-10-01Z' + i * interval '30 seconds', 'kind ' || i % 7, jsonb_build_object('n', i)
  FROM generate_series(1, ${count("events")}) AS i;

CREATE INDEX tasks_project ON tasks (project_id);
CREATE INDEX tasks_open ON tasks (updated_at) WHERE state <> 'done';
CREATE INDEX tasks_title ON tasks USING gin (title public.gin_trgm_ops);
CREATE INDEX projects_tags ON projects USING gin (tags);
CREATE INDEX events_kind ON events (kind, at);

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.updated_at := now(); RETURN NEW; END $$;
CREATE TRIGGER tasks_touch BEFORE UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION touch();
CREATE VIEW open_tasks AS SELECT t.*, p.user_id FROM tasks t JOIN projects p ON p.id = t.project_id WHERE t.state <> 'done';
CREATE MATERIALIZED VIEW tasks_by_state AS SELECT state, count(*) AS tasks FROM tasks GROUP BY state;
GRANT SELECT ON users, projects, tasks, events, open_tasks TO reporting;
RESET ROLE;
SELECT lo_from_bytea(0, decode(repeat('0123456789abcdef', 4096), 'hex'));
ANALYZE;
`;
}

/** What the application does all day, as one transaction: a task is made, another one moves on, and both are noted. */
export const referenceTransaction = `
WITH made AS (
  INSERT INTO app.tasks (project_id, title, body) VALUES (1 + floor(random() * 10)::bigint, 'made while drilling', md5(random()::text)) RETURNING id
), moved AS (
  UPDATE app.tasks SET state = 'done' WHERE id = (SELECT max(id) FROM app.tasks) RETURNING id
)
INSERT INTO app.events (at, kind, detail) SELECT now(), 'task made', jsonb_build_object('id', id) FROM made RETURNING id`;
