-- The scenarios of scenarios.ini for Pktgen-DPDK 23.03-23.06 (built against DPDK 22.11), started by
-- perf/pktgen/run.sh or by hand:
--
--   PENSTOCK_SCENARIOS=perf/pktgen/scenarios.ini PENSTOCK_RESULT=/tmp/result.json
--   PENSTOCK_PKT=perf/pktgen/syn.pkt pktgen EAL-OPTIONS -- -P -m '1.0,2.1' -f perf/pktgen/pktgen.lua
--
-- Port 0 sends the flows, port 1 the spoofed SYNs (Pktgen sends one kind of packet from a port); what
-- comes back on either is counted. Leaves the same JSON as penstock-generator, without what Pktgen cannot
-- know: the order within a flow, and the backend that a flow went to.

local VIP = os.getenv("PENSTOCK_VIP") or "203.0.113.10"
local VIP_PORT = tonumber(os.getenv("PENSTOCK_VIP_PORT") or "80")
local GATEWAY_MAC = os.getenv("PENSTOCK_MAC") or "02:00:00:00:00:02"
local QUICK = os.getenv("PENSTOCK_QUICK") == "1"
local TRIAL_MS = QUICK and 500 or 2000
local CONFIRM_MS = QUICK and 1000 or 10000
local HALVINGS = QUICK and 5 or 8
local CONFIRMATIONS = 12
local SETTLE_MS = 500      -- what is still under way after a port stopped sending
local FLOWS, SYNS = "0", "1"  -- ports

local function fail(sentence)
  io.stderr:write("pktgen.lua: " .. sentence .. "\n")
  pktgen.quit()
  error(sentence)
end

local function words(text)
  local list = {}
  for word in text:gmatch("%S+") do list[#list + 1] = word end
  return list
end

-- penstock-generator has checked the file's contents if it ran; here only what this script relies on is.
local function read_scenarios(path)
  local file = io.open(path or "")
  if not file then fail("cannot read PENSTOCK_SCENARIOS=" .. tostring(path)) end
  local list, current = {}, nil
  for line in file:lines() do
    local name = line:match("^%[(.+)%]")
    local key, value = line:match("^(%a+)%s*=%s*(.-)%s*$")
    if name then
      current = {name = name}
      list[#list + 1] = current
    elseif key then
      current[key] = value
    end
  end
  file:close()
  return list
end

local function sizes_of(scenario)
  local list = words(scenario.frames)
  local how = table.remove(list, 1)
  for i, size in ipairs(list) do list[i] = tonumber(size) end
  return list, how == "each"
end

-- Address and port step together, packet by packet; with coprime counts every pair appears: about `flows`
-- pairs.
local function set_range(port, flows, first_source, size)
  local ports = math.max(1, math.min(50000, math.ceil(math.sqrt(flows))))
  local sources = flows == 1 and 1 or ports + 1
  local a, b, c, d = first_source:match("(%d+)%.(%d+)%.(%d+)%.(%d+)")
  local last = ((a * 256 + b) * 256 + c) * 256 + d + sources - 1
  local last_source =
    string.format("%d.%d.%d.%d", last // 16777216, last // 65536 % 256, last // 256 % 256, last % 256)
  local function set(what, first, inc, min, max)
    pktgen.range[what](port, "start", first)
    pktgen.range[what](port, "inc", inc)
    pktgen.range[what](port, "min", min)
    pktgen.range[what](port, "max", max)
  end
  pktgen.range.ip_proto(port, "tcp")
  pktgen.range.dst_mac(port, "start", GATEWAY_MAC)
  set("src_ip", first_source, "0.0.0.1", first_source, last_source)
  set("dst_ip", VIP, "0.0.0.0", VIP, VIP)
  set("src_port", 1024, sources == 1 and 0 or 1, 1024, 1024 + ports - 1)
  set("dst_port", VIP_PORT, 0, VIP_PORT, VIP_PORT)
  set("pkt_size", size, 0, size, size)
  set("ttl", 64, 0, 64, 64)
  pktgen.set_range(port, "on")
end

-- Different sizes in a fixed order are a sequence, of at most 16 packets and so of as many flows.
local function set_sequence(port, sizes)
  for i, size in ipairs(sizes) do
    pktgen.seq(i - 1, port, GATEWAY_MAC, "02:00:00:00:00:01", VIP, "10.0.0." .. i .. "/24", 1024 + i,
               VIP_PORT, "ipv4", "tcp", 1, size)
  end
  pktgen.set(port, "seq_cnt", #sizes)
end

local function set_traffic(scenario, sizes)
  pktgen.stop("all")
  pktgen.reset("all")
  pktgen.screen("off")
  if #sizes == 1 then
    set_range(FLOWS, tonumber(scenario.flows), "10.0.0.1", sizes[1])
  else
    set_sequence(FLOWS, sizes)
  end
  if tonumber(scenario.syns) > 0 then
    set_range(SYNS, 10000000, "11.0.0.0", sizes[1])
    pktgen.load(os.getenv("PENSTOCK_PKT") or "syn.pkt")
  end
end

local sent_in_all, received_in_all = 0, 0

-- What all ports have sent and received since the last clearing.
local function count()
  local stats = pktgen.portStats("all", "port")
  local total = {sent = 0, received = 0, bytes = 0}
  for port = 0, pktgen.portCount() - 1 do
    total.sent = total.sent + stats[port].opackets
    total.received = total.received + stats[port].ipackets
    total.bytes = total.bytes + stats[port].obytes
  end
  sent_in_all = sent_in_all + total.sent
  received_in_all = received_in_all + total.received
  return total
end

-- Percent of the link for the given time; what went out and what came back.
local function trial(scenario, percent, ms)
  local syns = tonumber(scenario.syns)
  local senders = syns > 0 and "all" or FLOWS
  pktgen.clr()
  pktgen.set(FLOWS, "count", 0)
  pktgen.set(FLOWS, "rate", percent * (100 - syns) / 100)
  if syns > 0 then
    pktgen.set(SYNS, "count", 0)
    pktgen.set(SYNS, "rate", percent * syns / 100)
  end
  pktgen.start(senders)
  pktgen.delay(ms)
  pktgen.stop(senders)
  pktgen.delay(SETTLE_MS)
  local result = count()
  result.ms = ms
  result.lost = math.max(0, result.sent - result.received)
  return result
end

local function best_of_two(scenario, percent, ms)
  local first = trial(scenario, percent, ms)
  return first.lost == 0 and first or trial(scenario, percent, ms)
end

local function find_throughput(scenario)
  trial(scenario, 1, TRIAL_MS)  -- the dataplane learns the flows
  local good, bad, trials = 0, 100, 0
  if best_of_two(scenario, 100, TRIAL_MS).lost == 0 then
    good = 100
  else
    for _ = 1, HALVINGS do
      local middle = (good + bad) / 2
      if best_of_two(scenario, middle, TRIAL_MS).lost == 0 then good = middle else bad = middle end
      trials = trials + 1
    end
  end
  local percent = good > 0 and good or bad
  local confirmed
  for _ = 1, CONFIRMATIONS do
    confirmed = best_of_two(scenario, percent, CONFIRM_MS)
    if confirmed.lost == 0 then break end
    percent = percent * 0.9
  end
  return confirmed, percent, trials
end

-- Pktgen's own time stamps, in microseconds; it keeps averages only.
local function latency(percent)
  pktgen.clr()
  pktgen.latency(FLOWS, "on")
  pktgen.set(FLOWS, "rate", percent)
  pktgen.start(FLOWS)
  pktgen.delay(CONFIRM_MS)
  local stats = pktgen.pktStats(FLOWS)[tonumber(FLOWS)]
  pktgen.stop(FLOWS)
  pktgen.latency(FLOWS, "off")
  pktgen.delay(SETTLE_MS)
  count()
  local nested = type(stats.latency) == "table" and stats.latency or {}
  local min = stats.min_avg_latency or nested.min_us
  local mean = stats.avg_latency or nested.avg_us
  if not mean then return "" end
  return string.format(', "latency_us": {"min": %f, "mean": %f}', min or mean, mean)
end

local function measure(scenario, frames, sizes)
  set_traffic(scenario, sizes)
  local confirmed, percent, trials = find_throughput(scenario)
  local extra = scenario.measure == "latency" and latency(percent) or ""
  local pps = confirmed.lost == 0 and confirmed.received * 1000 / confirmed.ms or 0
  return string.format(
    '{"scenario": "%s", "frames": "%s", "measure": "%s", "throughput_pps": %f, "trials": %d, '
      .. '"confirmed": {"offered": %d, "received": %d, "lost": %d, "offered_bytes": %d%s}}',
    scenario.name, frames, scenario.measure, pps, trials, confirmed.sent, confirmed.received, confirmed.lost,
    confirmed.bytes, extra)
end

local function chosen(name)
  local list = words(os.getenv("PENSTOCK_CHOSEN") or "")
  for _, wanted in ipairs(list) do
    if wanted == name then return true end
  end
  return #list == 0
end

local cases = {}
for _, scenario in ipairs(read_scenarios(os.getenv("PENSTOCK_SCENARIOS"))) do
  local sizes, each = sizes_of(scenario)
  if chosen(scenario.name) and each then
    for _, size in ipairs(sizes) do cases[#cases + 1] = measure(scenario, tostring(size), {size}) end
  elseif chosen(scenario.name) then
    cases[#cases + 1] = measure(scenario, "mix", sizes)
  end
end
local result = io.open(os.getenv("PENSTOCK_RESULT") or "", "w")
if not result then fail("cannot write PENSTOCK_RESULT") end
result:write(string.format('{"sent": %d, "received": %d, "cases": [%s]}\n', sent_in_all, received_in_all,
                           table.concat(cases, ", ")))
result:close()
pktgen.quit()
