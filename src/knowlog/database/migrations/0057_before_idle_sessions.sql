-- A session that nobody uses ends. `expires_at` is when it ends by itself: each refresh puts that off, never beyond `ends_at`,
-- when it ends whatever is done in it. Null for sessions from before, which end when they would have, or earlier.
alter table knowlog.sessions add column ends_at timestamptz;
