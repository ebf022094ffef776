-- Requests from a file: one a line, "path" or "path<TAB>If-None-Match". Asked in turn, from a start of
-- one's own, so that several connections do not ask for the same thing together.
local requests, position = {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local path, tag = line:match("^([^\t]+)\t?(.*)$")
    local headers = {}
    if tag ~= "" then headers["If-None-Match"] = tag end
    requests[#requests + 1] = wrk.format("GET", path, headers)
  end
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, summary.duration, failed, summary.bytes))
end
