-- Requests signed beforehand, one a line of the file REQUESTS (its line breaks as \1); each thread sends its own share.
local counter = 0
function setup(thread) thread:set("id", counter); counter = counter + 1 end
function init(args)
  local threads = tonumber(os.getenv("WRK_THREADS"))
  mine, sent = {}, 0
  local n = 0
  for line in io.lines(os.getenv("REQUESTS")) do
    if n % threads == id then mine[#mine + 1] = (line:gsub("\1", "\r\n")) end
    n = n + 1
  end
end
function request()
  sent = sent + 1
  return mine[((sent - 1) % #mine) + 1]
end
function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    "RESULT rate=%.1f p50=%.2f p90=%.2f p99=%.2f max=%.2f requests=%d refused=%d broken=%d timeouts=%d\n",
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(90) / 1000,
    latency:percentile(99) / 1000, latency.max / 1000, summary.requests, errors.status,
    errors.connect + errors.read + errors.write, errors.timeout))
end
