// The Docker Engine API as far as the sandboxes use it: version prefix, JSON bodies, the engine's
// error messages as Errors. Single-threaded, on the warden's loop.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/json/fwd.hpp>
#include <chrono>
#include <string>
#include <string_view>

#include "net/http_client.h"
#include "sandbox/engine.h"

namespace sandtrap::sandbox {

class DockerApi {
 public:
  using Milliseconds = std::chrono::milliseconds;
  static constexpr Milliseconds kQuick{10000};  // what never takes long
  static constexpr std::string_view kOldest = "1.41", kNewest = "1.47";

  DockerApi(boost::asio::any_io_executor executor, std::string socket);

  // Asks the engine for its version and settles on one that both know. Again after any restart.
  Task<base::Status> negotiate();
  const std::string& version() const { return version_; }  // "1.41"

  // `path` without the version. An answer of 4xx or 5xx is an Error with the engine's own words:
  // 400 kInvalid, 404 kNotFound, 409 kExists (name taken, or not running), 5xx kUnavailable.
  Task<base::Result<net::HttpResponse>> get(std::string path, Milliseconds deadline);
  Task<base::Result<net::HttpResponse>> post(std::string path, std::string json_body,
                                             Milliseconds deadline);
  Task<base::Result<net::HttpResponse>> send(std::string method, std::string path,
                                             std::string json_body, Milliseconds deadline);
  Task<base::Result<boost::json::object>> get_object(std::string path, Milliseconds deadline);
  Task<base::Result<boost::json::object>> post_object(std::string path, std::string json_body,
                                                      Milliseconds deadline);
  Task<base::Result<net::HttpUpgrade>> hijack(std::string path, std::string json_body,
                                              Milliseconds deadline);

  std::string versioned(std::string_view path) const;
  net::HttpClient& http() { return http_; }

 private:
  net::HttpClient http_;
  std::string version_{kOldest};
};

// "1.9" < "1.41"; empty or malformed counts as oldest.
bool docker_version_less(std::string_view left, std::string_view right);

base::Result<boost::json::object> docker_object(std::string_view text);
// Members of answers; empty, 0 or false when absent or of another type: the engine is trusted, but
// its versions differ.
std::string docker_text(const boost::json::object& object, std::string_view key);
std::int64_t docker_number(const boost::json::object& object, std::string_view key);
const boost::json::object* docker_member(const boost::json::object& object, std::string_view key);

}  // namespace sandtrap::sandbox
