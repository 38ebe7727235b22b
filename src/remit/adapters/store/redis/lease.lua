-- Take, renew or release a run; {} when that is refused, else epoch, end and whether another's lease lapsed.
local run = head(ask.run)
if not run then
  return {}
end
local now, lapsed = now_ms(), 0
if ask.verb == "take" then
  if run.status == "ended" or (tonumber(run.lease) > now and run.owner ~= ask.worker) then
    return {}
  end
  if run.owner ~= "" and run.owner ~= ask.worker then
    lapsed = 1
  end
  run.epoch, run.owner = text(run.epoch + 1), ask.worker
elseif run.epoch ~= ask.epoch or run.owner ~= ask.worker then
  return {}
end
if ask.verb == "release" then
  run.owner, run.lease = "", "0"
else
  run.lease = text(now + ask.ttl)
end
redis.call("HSET", P .. ":run:" .. ask.run, "epoch", run.epoch, "owner", run.owner, "lease", run.lease)
place(ask.run, run, now)
return { run.epoch, run.lease, lapsed }
