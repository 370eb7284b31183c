-- Writes records into the serving layout (docs/redis.md), each only when it is newer than what is there.
--
-- ARGV: prefix, history length, update length, alert TTL in seconds, then as MessagePack the records, an
-- array of arrays of strings laid out by sinks/redis/layout.py, and the positions, an array of {part,
-- where it must stand, where it stands after}. Returns {records written, index, message, index, message,
-- ...}: the records (from 0) whose own keys hold another type. A shared key of another type is an error.
-- Nothing is written where a position isn't what the writer left (error SETBACK) or during a clearing.
--
-- Order inside one record: the version is written last, so that a step that fails leaves the record
-- to be written again whole.

local prefix, history_length, updates_length, alert_ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local updates = prefix .. ':updates'
local health_fields = {
  'score', 'band', 'previous_score', 'coverage', 'name', 'owner', 'segment', 'stage', 'arr_minor',
  'currency', 'reasons', 'as_of', 'received_at', 'partition', 'version', 'parent_id', 'health',
}
local kpis_fields = {
  'kpis_as_of', 'kpis_version', 'mrr_before', 'gross_retention', 'net_retention', 'kpis',
}
local change_rank = { opened = 1, updated = 2, resolved = 3 }

redis.call('XLEN', updates)

local places, stand = cmsgpack.unpack(ARGV[6]), prefix .. ':positions'
if redis.call('EXISTS', prefix .. ':clearing') == 1 then
  return redis.error_reply('CLEARING everything under ' .. prefix .. ' is being removed')
end
local parts = {}
for i, place in ipairs(places) do parts[i] = place[1] end
local found = #parts > 0 and redis.call('HMGET', stand, unpack(parts)) or {}
for i, place in ipairs(places) do
  -- A call that is repeated because its answer was lost finds where it stands after.
  if found[i] ~= place[2] and found[i] ~= place[3] then
    return redis.error_reply('SETBACK ' .. place[1] .. ' stands at ' .. (found[i] or 'nothing') .. ', not '
      .. place[2])
  end
end

-- Journal time first: it never goes back, also when partitions are renumbered and sequences restart.
local function newer(as_of, version, old_as_of, old_version)
  if not old_as_of then return true end
  if as_of ~= old_as_of then return as_of > old_as_of end
  return version > old_version
end

local function rank(tenant, account, score, band, owner, old_band, old_owner)
  local risk, unknown = prefix .. ':risk:' .. tenant, prefix .. ':unknown:' .. tenant
  local owner_set = prefix .. ':owner:' .. tenant .. ':'
  if old_owner and old_owner ~= owner then redis.call('ZREM', owner_set .. old_owner, account) end
  if band == 'unknown' then
    redis.call('SADD', unknown, account)
    redis.call('ZREM', risk, account)
    if owner ~= '' then redis.call('ZREM', owner_set .. owner, account) end
    return
  end
  redis.call('ZADD', risk, score, account)
  if owner ~= '' then redis.call('ZADD', owner_set .. owner, score, account) end
  if not old_band or old_band == 'unknown' then redis.call('SREM', unknown, account) end
end

-- Set the fields of an account's hash to what follows kind, tenant and account; an empty value has no field.
local function set_fields(key, fields, record)
  local set, gone = {}, {}
  for i = 1, #fields do
    local value = record[i + 3]
    if value == '' then
      gone[#gone + 1] = fields[i]
    else
      set[#set + 1] = fields[i]
      set[#set + 1] = value
    end
  end
  redis.call('HSET', key, unpack(set))
  if #gone > 0 then redis.call('HDEL', key, unpack(gone)) end
end

local function write_health(record)
  local _, tenant, account, score, band, _, _, _, owner, _, _, _, _, _, as_of, received_at, _, version =
    unpack(record)
  local key = prefix .. ':account:' .. tenant .. ':' .. account
  local old = redis.pcall('HMGET', key, 'as_of', 'version', 'score', 'band', 'owner')
  if old.err then return false, key .. ': ' .. old.err end
  local old_as_of, old_version, old_score, old_band, old_owner = unpack(old)
  if not newer(tonumber(as_of), tonumber(version), tonumber(old_as_of or nil), tonumber(old_version or nil)) then
    return false
  end
  local moved = old_score ~= score or old_band ~= band
  local history = prefix .. ':history:' .. tenant .. ':' .. account
  if moved then
    local length = redis.pcall('XLEN', history)
    if type(length) == 'table' then return false, history .. ': ' .. length.err end
  end
  rank(tenant, account, score, band, owner, old_band, old_owner)
  if moved then
    -- Refused only where the entry is there already, and the hash was lost.
    redis.pcall('XADD', history, 'MAXLEN', '~', history_length, as_of .. '-' .. version,
      'score', score, 'band', band)
  end
  redis.call('XADD', updates, 'MAXLEN', '~', updates_length, '*', 'kind', 'health', 'tenant', tenant,
    'account', account, 'score', score, 'band', band, 'as_of', as_of, 'received_at', received_at,
    'version', version)
  set_fields(key, health_fields, record)
  return true
end

local function write_kpis(record)
  local _, tenant, account, as_of, version = unpack(record)
  local key = prefix .. ':account:' .. tenant .. ':' .. account
  local old = redis.pcall('HMGET', key, 'kpis_as_of', 'kpis_version')
  if old.err then return false, key .. ': ' .. old.err end
  if not newer(tonumber(as_of), tonumber(version), tonumber(old[1] or nil), tonumber(old[2] or nil)) then
    return false
  end
  set_fields(key, kpis_fields, record)
  return true
end

local function write_alert(record)
  local _, tenant, account, score, band, id, rule, change, severity, title, owner, acknowledged_by,
    opened_at, changed_at, received_at, partition, version, alert = unpack(record)
  local key, open = prefix .. ':alert:' .. id, prefix .. ':alerts:' .. tenant
  local old = redis.pcall('HMGET', key, 'changed_at', 'version', 'change')
  if old.err then return false, key .. ': ' .. old.err end
  -- One batch may say two things of an alert; then the later kind of change is the newer.
  local step = tonumber(version) * 4 + (change_rank[change] or 0)
  local old_step = old[2] and tonumber(old[2]) * 4 + (change_rank[old[3]] or 0)
  if not newer(tonumber(changed_at), step, tonumber(old[1] or nil), old_step) then return false end
  if change == 'resolved' then
    redis.call('ZREM', open, id)
  else
    redis.call('ZADD', open, opened_at, id)
  end
  redis.call('XADD', updates, 'MAXLEN', '~', updates_length, '*', 'kind', 'alert', 'tenant', tenant,
    'account', account, 'score', score, 'band', band, 'as_of', changed_at, 'received_at', received_at,
    'version', version, 'alert_id', id, 'rule', rule, 'change', change, 'severity', severity,
    'title', title, 'owner', owner)
  redis.call('HSET', key, 'tenant', tenant, 'account', account, 'rule', rule, 'change', change,
    'severity', severity, 'title', title, 'owner', owner, 'acknowledged_by', acknowledged_by,
    'opened_at', opened_at, 'changed_at', changed_at, 'partition', partition, 'version', version,
    'alert', alert)
  if change == 'resolved' then redis.call('EXPIRE', key, alert_ttl) end
  return true
end

local writers = { health = write_health, kpis = write_kpis, alert = write_alert }
local answer = { 0 }
for index, record in ipairs(cmsgpack.unpack(ARGV[5])) do
  local written, refused = writers[record[1]](record)
  if written then answer[1] = answer[1] + 1 end
  if refused then
    answer[#answer + 1] = index - 1
    answer[#answer + 1] = refused
  end
end
for i, place in ipairs(places) do
  if found[i] ~= place[3] then redis.call('HSET', stand, place[1], place[3]) end
end
return answer
