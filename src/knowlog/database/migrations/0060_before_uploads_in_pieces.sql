-- Uploads in pieces: what has come of a file so far. An upload belongs to the member or key that began it: besides the
-- tenant's policy, a second one asks who is calling.
create table knowlog.uploads (
    tenant_id     uuid not null references knowlog.tenants on delete cascade,
    upload_id     uuid not null,
    owner         text not null,
    collection_id uuid not null,
    fingerprint   text check (length(fingerprint) between 1 and 64),
    described     jsonb not null,
    size_bytes    bigint not null check (size_bytes > 0),
    received      bigint not null default 0 check (received between 0 and size_bytes),
    taken         jsonb,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    primary key (tenant_id, upload_id),
    foreign key (tenant_id, collection_id) references knowlog.collections on delete cascade
);
-- The same file is gone on with, until it is whole.
create unique index uploads_begun on knowlog.uploads (tenant_id, owner, collection_id, fingerprint) where taken is null;
create index uploads_of_collection on knowlog.uploads (tenant_id, collection_id);
create index uploads_by_age on knowlog.uploads (tenant_id, updated_at);

-- Where the pieces lie.
create table knowlog.upload_pieces (
    tenant_id  uuid not null,
    upload_id  uuid not null,
    start_byte bigint not null,
    size_bytes bigint not null check (size_bytes > 0),
    blob       text not null,
    primary key (tenant_id, upload_id, start_byte),
    foreign key (tenant_id, upload_id) references knowlog.uploads on delete cascade
);

grant select, insert, update, delete on knowlog.uploads, knowlog.upload_pieces to knowlog_app, knowlog_definer;
select knowlog.protect_tables();

create policy private on knowlog.uploads as restrictive to knowlog_app using (owner = (select knowlog.principal()));
create policy private on knowlog.upload_pieces as restrictive to knowlog_app using (
    (select true from knowlog.uploads u
     where u.tenant_id = upload_pieces.tenant_id and u.upload_id = upload_pieces.upload_id));

-- Pieces are stored bytes, like those of versions. The definer makes the triggers, because the function is its own.
grant trigger on knowlog.upload_pieces to knowlog_definer;
set local role knowlog_definer;
create trigger count_made after insert on knowlog.upload_pieces
    referencing new table as changed for each statement execute function knowlog.count_stored();
create trigger count_gone after delete on knowlog.upload_pieces
    referencing old table as changed for each statement execute function knowlog.count_stored();
set local role none;
revoke trigger on knowlog.upload_pieces from knowlog_definer;

-- Those of the given originals of the tenant that are pieces, whose ever they are: the others may be swept away.
create function knowlog.pieces_among(uploads uuid[], blobs text[]) returns setof text
language sql stable security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    select p.blob from unnest(uploads, blobs) as given (upload_id, blob)
    join upload_pieces p on p.tenant_id = tenant() and p.upload_id = given.upload_id and p.blob = given.blob
$$;
select knowlog.give_to_definer('knowlog_app', array['pieces_among(uuid[], text[])']);

-- Uploads that nobody has gone on with for so many hours go; their pieces are swept away as originals that nobody knows.
-- Returns how many went.
create function knowlog.forget_uploads(keep_hours integer) returns bigint
language sql volatile security definer set search_path = pg_catalog, knowlog, pg_temp as $$
    with gone as (
        delete from uploads u where u.updated_at < now() - make_interval(hours => keep_hours) returning 1)
    select count(*) from gone
$$;
select knowlog.give_to_definer('knowlog_system', array['forget_uploads(integer)']);
