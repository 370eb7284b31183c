-- Writes records into the serving layout (docs/redis.md), each only when it is newer than the one there.
--
-- ARGV: 1 prefix, 2 history length, 3 update length, 4 alert TTL in seconds; then as MessagePack: 5 the
-- records, an array of arrays of strings laid out by sinks/redis/layout.py; 6 the positions, an array of
-- {part, position before, position after}; 7 the names of an account's health fields and 8 of its KPI
-- fields, in the order of the records. Returns {records written, index, message, index, message, ...}: the
-- records (from 0) whose own keys hold another type. A shared key of another type is an error.
-- Nothing is written where a position isn't as the writer left it (error SETBACK) or during a clearing.
--
-- Order inside one record: the version is written last, so that a step that fails leaves the record
-- to be written again whole.

local prefix, history_length, updates_length, alert_ttl = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local updates = prefix .. ':updates'
local health_fields, kpis_fields = cmsgpack.unpack(ARGV[7]), cmsgpack.unpack(ARGV[8])
local change_rank = { opened = 1, updated = 2, resolved = 3 }

local health = {} -- where each field is in a health record: kind, tenant and account come first
for i, field in ipairs(health_fields) do health[field] = i + 3 end

redis.call('XLEN', updates)

local positions, stored_in = cmsgpack.unpack(ARGV[6]), prefix .. ':positions'
if redis.call('EXISTS', prefix .. ':clearing') == 1 then
  return redis.error_reply('CLEARING everything under ' .. prefix .. ' is being removed')
end
local parts = {}
for i, position in ipairs(positions) do parts[i] = position[1] end
local stored = #parts > 0 and redis.call('HMGET', stored_in, unpack(parts)) or {}
for i, position in ipairs(positions) do
  -- A call that is repeated because its answer was lost finds the positions as they are afterwards.
  if stored[i] ~= position[2] and stored[i] ~= position[3] then
    return redis.error_reply('SETBACK ' .. position[1] .. ' stands at ' .. (stored[i] or 'nothing') .. ', not '
      .. position[2])
  end
end

-- Journal time first: it never goes back, not even when partitions are renumbered and sequences restart.
local function newer(as_of, version, old_as_of, old_version)
  if not old_as_of then return true end
  if as_of ~= old_as_of then return as_of > old_as_of end
  return version > old_version
end

local function rank(tenant, account, score, band, owner, merged_into, old_band, old_owner)
  local risk, unknown = prefix .. ':risk:' .. tenant, prefix .. ':unknown:' .. tenant
  local owner_set = prefix .. ':owner:' .. tenant .. ':'
  if old_owner and old_owner ~= owner then redis.call('ZREM', owner_set .. old_owner, account) end
  if band == 'unknown' then
    redis.call(merged_into == '' and 'SADD' or 'SREM', unknown, account) -- merged into another, it is no account
    redis.call('ZREM', risk, account)
    if owner ~= '' then redis.call('ZREM', owner_set .. owner, account) end
    return
  end
  redis.call('ZADD', risk, score, account)
  if owner ~= '' then redis.call('ZADD', owner_set .. owner, score, account) end
  if not old_band or old_band == 'unknown' then redis.call('SREM', unknown, account) end
end

-- Sets the fields of an account's hash to the values after kind, tenant and account; an empty one has no field.
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
  local _, tenant, account = unpack(record)
  local score, band, owner = record[health.score], record[health.band], record[health.owner]
  local as_of, received_at, version = record[health.as_of], record[health.received_at], record[health.version]
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
  rank(tenant, account, score, band, owner, record[health.merged_into], old_band, old_owner)
  if moved then
    -- Refused only where the entry is there already because the account's hash was lost.
    redis.pcall('XADD', history, 'MAXLEN', '~', history_length, as_of .. '-' .. version,
      'score', score, 'band', band)
  end
  redis.call('XADD', updates, 'MAXLEN', '~', updates_length, '*', 'kind', 'health', 'tenant', tenant,
    'account', account, 'score', score, 'band', band, 'as_of', as_of, 'received_at', received_at,
    'version', version)
  set_fields(key, health_fields, record)
  return true
end

local function write_deletion(record)
  local _, tenant, account, as_of, version = unpack(record)
  local key = prefix .. ':account:' .. tenant .. ':' .. account
  local old = redis.pcall('HMGET', key, 'as_of', 'version', 'owner')
  if old.err then return false, key .. ': ' .. old.err end
  if not old[1] or not newer(tonumber(as_of), tonumber(version), tonumber(old[1]), tonumber(old[2])) then
    return false
  end
  redis.call('ZREM', prefix .. ':risk:' .. tenant, account)
  redis.call('SREM', prefix .. ':unknown:' .. tenant, account)
  if old[3] then redis.call('ZREM', prefix .. ':owner:' .. tenant .. ':' .. old[3], account) end
  redis.call('DEL', prefix .. ':history:' .. tenant .. ':' .. account)
  redis.call('XADD', updates, 'MAXLEN', '~', updates_length, '*', 'kind', 'deleted', 'tenant', tenant,
    'account', account, 'score', '0.0', 'band', 'unknown', 'as_of', as_of, 'version', version)
  redis.call('HDEL', key, unpack(health_fields))
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

local function write_kpis_deletion(record)
  local _, tenant, account, as_of, version = unpack(record)
  local key = prefix .. ':account:' .. tenant .. ':' .. account
  local old = redis.pcall('HMGET', key, 'kpis_as_of', 'kpis_version')
  if old.err then return false, key .. ': ' .. old.err end
  if not old[1] or not newer(tonumber(as_of), tonumber(version), tonumber(old[1]), tonumber(old[2])) then
    return false
  end
  redis.call('HDEL', key, unpack(kpis_fields))
  return true
end

local function write_alert(record)
  local _, tenant, account, score, band, id, rule, change, severity, title, owner, action,
    acknowledged_by, acknowledged_at, dismissed_by, note, opened_at, changed_at, received_at, partition, version,
    alert = unpack(record)
  local key, open = prefix .. ':alert:' .. id, prefix .. ':alerts:' .. tenant
  local old = redis.pcall('HMGET', key, 'changed_at', 'version', 'change')
  if old.err then return false, key .. ': ' .. old.err end
  -- One batch may change an alert twice; then the later kind of change is the newer one.
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
    'severity', severity, 'title', title, 'owner', owner, 'action', action,
    'acknowledged_by', acknowledged_by, 'acknowledged_at', acknowledged_at, 'dismissed_by', dismissed_by,
    'note', note, 'opened_at', opened_at, 'changed_at', changed_at, 'partition', partition,
    'version', version, 'alert', alert)
  if change == 'resolved' then redis.call('EXPIRE', key, alert_ttl) end
  return true
end

local writers = {
  health = write_health,
  deleted = write_deletion,
  kpis = write_kpis,
  deleted_kpis = write_kpis_deletion,
  alert = write_alert,
}
local answer = { 0 }
for index, record in ipairs(cmsgpack.unpack(ARGV[5])) do
  local written, refused = writers[record[1]](record)
  if written then answer[1] = answer[1] + 1 end
  if refused then
    answer[#answer + 1] = index - 1
    answer[#answer + 1] = refused
  end
end
for i, position in ipairs(positions) do
  if stored[i] ~= position[3] then redis.call('HSET', stored_in, position[1], position[3]) end
end
return answer
