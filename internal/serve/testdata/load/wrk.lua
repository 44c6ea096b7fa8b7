-- What each client of wrk does. Every thread has one connection and is one client; every picture is a new file, so no cache helps.
--   wrk -t N -c N -s wrk.lua URL -- PICTURE RESULTS [REQUESTS A SECOND, OF ALL CLIENTS]
-- Without a rate a client asks again as soon as it has an answer, or, when it was turned away, as soon as it was told to; with one,
-- requests come at random, whatever the answers (Poisson); with the rate "at once", a client never waits. RESULTS has a line for each answer: status, microseconds, whether it says when to come back.
-- What this does between two requests is taken from the server, which shares the processors: so a request is made but for its end, and
-- nothing is written before all is over.
local ffi = require("ffi")
ffi.cdef [[
  struct timespec { long sec; long nsec; };
  int clock_gettime(int id, struct timespec *t);
]]
local t = ffi.new("struct timespec")
local function now()
  ffi.C.clock_gettime(1, t)
  return tonumber(t.sec) * 1e6 + tonumber(t.nsec) / 1e3
end

local threads = {}
function setup(thread)
  thread:set("id", #threads)
  table.insert(threads, thread)
end

answers = {} -- global, as done asks each thread for it
local head, interval, due, start, count, back, obeys = nil, nil, nil, nil, 0, 0, true
function init(args)
  local f = assert(io.open(args[1], "rb"))
  local picture = f:read("*a")
  f:close()
  results = args[2]
  local request = wrk.format("POST", nil, {["Content-Type"] = "image/jpeg"}, picture .. unique())
  head = request:sub(1, -#unique() - 1)
  math.randomseed(id + 1)
  if args[3] == "at once" then
    obeys = false
  elseif args[3] then
    interval = 1e6 * tonumber(args[4]) / tonumber(args[3])
    due = now() + math.random() * interval
  end
end

-- unique ends a picture that nobody has sent before; it is always as long.
function unique() return string.format("%4d.%12d.%20.0f", id, count, now()) end

function delay()
  if not interval then
    local wait = back
    back = 0
    return wait
  end
  local wait = math.max(0, due - now())
  due = due - interval * math.log(1 - math.random())
  return math.floor(wait / 1000)
end

function request()
  count = count + 1
  start = now()
  return head .. unique()
end

function response(status, headers)
  if obeys and status == 429 then back = tonumber(headers["Retry-After-Ms"]) end
  answers[#answers + 1] = status .. " " .. math.floor(now() - start) .. " " .. (headers["Retry-After"] and "yes" or "no")
end

function done()
  local f = assert(io.open(threads[1]:get("results"), "w"))
  for _, thread in ipairs(threads) do
    for _, answer in ipairs(thread:get("answers")) do f:write(answer, "\n") end
  end
  f:close()
end
