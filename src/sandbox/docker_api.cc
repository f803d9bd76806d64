#include "sandbox/docker_api.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>

namespace sandtrap::sandbox {
namespace json = boost::json;
namespace {

base::Errc code_of(unsigned status) {
  switch (status) {
    case 400:
      return base::Errc::kInvalid;
    case 404:
      return base::Errc::kNotFound;
    case 409:
      return base::Errc::kExists;
    default:
      return base::Errc::kUnavailable;
  }
}

std::string one_line(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  if (text.size() > 500) text.resize(500);
  return text;
}

tl::unexpected<base::Error> refusal(std::string_view what, const net::HttpResponse& response) {
  std::string message;
  if (auto object = docker_object(response.body)) message = docker_text(*object, "message");
  if (message.empty()) message = fmt::format("status {}", response.status);
  return base::fail(code_of(response.status),
                    fmt::format("docker: {}: {}", what, one_line(std::move(message))));
}

std::pair<int, int> parts(std::string_view version) {
  int major = 0;
  int minor = 0;
  const char* end = version.data() + version.size();
  const auto [dot, error] = std::from_chars(version.data(), end, major);
  if (error == std::errc() && dot != end && *dot == '.') std::from_chars(dot + 1, end, minor);
  return {major, minor};
}

net::HttpRequest request_for(std::string method, std::string target, std::string body) {
  net::HttpRequest request{std::move(method), std::move(target)};
  if (!body.empty()) request.headers.push_back({"Content-Type", "application/json"});
  request.body = std::move(body);
  return request;
}

}  // namespace

bool docker_version_less(std::string_view left, std::string_view right) {
  return parts(left) < parts(right);
}

base::Result<json::object> docker_object(std::string_view text) {
  boost::system::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) {
    return base::fail(base::Errc::kInvalid, "docker: the answer is not a JSON object");
  }
  return std::move(value.get_object());
}

std::string docker_text(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

std::int64_t docker_number(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  if (value == nullptr) return 0;
  if (value->is_bool()) return value->get_bool() ? 1 : 0;
  return value->is_int64() ? value->get_int64() : 0;
}

const json::object* docker_member(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(json::string_view(key.data(), key.size()));
  return value != nullptr ? value->if_object() : nullptr;
}

DockerApi::DockerApi(boost::asio::any_io_executor executor, std::string socket)
    : http_(std::move(executor), std::move(socket)) {}

std::string DockerApi::versioned(std::string_view path) const {
  return fmt::format("/v{}{}", version_, path);
}

Task<base::Status> DockerApi::negotiate() {
  net::HttpRequest ping{"GET", "/_ping"};
  auto response = co_await http_.request(std::move(ping), kQuick);
  if (!response) co_return base::wrap("docker", response.error());
  if (response->status != 200) co_return refusal("ping", *response);
  const std::string offered(response->header("Api-Version"));
  if (docker_version_less(offered, kOldest)) {
    co_return base::fail(base::Errc::kUnsupported,
                         fmt::format("docker: the engine speaks API {}, at least {} is needed",
                                     offered.empty() ? "(none named)" : offered, kOldest));
  }
  version_ = docker_version_less(offered, kNewest) ? offered : std::string(kNewest);
  co_return base::Status{};
}

Task<base::Result<net::HttpResponse>> DockerApi::send(std::string method, std::string path,
                                                      std::string json_body,
                                                      Milliseconds deadline) {
  const std::string what = fmt::format("{} {}", method, path.substr(0, path.find('?')));
  auto request = request_for(std::move(method), versioned(path), std::move(json_body));
  auto response = co_await http_.request(std::move(request), deadline);
  if (!response) co_return base::wrap("docker", response.error());
  if (response->status >= 400) co_return refusal(what, *response);
  co_return std::move(*response);
}

Task<base::Result<net::HttpResponse>> DockerApi::get(std::string path, Milliseconds deadline) {
  return send("GET", std::move(path), {}, deadline);
}

Task<base::Result<net::HttpResponse>> DockerApi::post(std::string path, std::string json_body,
                                                      Milliseconds deadline) {
  return send("POST", std::move(path), std::move(json_body), deadline);
}

Task<base::Result<json::object>> DockerApi::get_object(std::string path, Milliseconds deadline) {
  auto response = co_await get(std::move(path), deadline);
  if (!response) co_return tl::unexpected(response.error());
  co_return docker_object(response->body);
}

Task<base::Result<json::object>> DockerApi::post_object(std::string path, std::string json_body,
                                                        Milliseconds deadline) {
  auto response = co_await post(std::move(path), std::move(json_body), deadline);
  if (!response) co_return tl::unexpected(response.error());
  co_return docker_object(response->body);
}

Task<base::Result<net::HttpUpgrade>> DockerApi::hijack(std::string path, std::string json_body,
                                                       Milliseconds deadline) {
  auto request = request_for("POST", versioned(path), std::move(json_body));
  auto upgraded = co_await http_.upgrade(std::move(request), deadline);
  if (!upgraded) co_return base::wrap("docker", upgraded.error());
  if (!upgraded->stream) co_return refusal("POST " + path, upgraded->response);
  co_return std::move(*upgraded);
}

}  // namespace sandtrap::sandbox
