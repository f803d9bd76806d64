#include "warden/login_memory.h"

#include <boost/json.hpp>

namespace sandtrap::warden {
namespace json = boost::json;
namespace {

json::array to_array(const Fingerprint& print) {
  json::array out;
  for (const std::uint8_t byte : print) out.emplace_back(byte);
  return out;
}

bool from_array(const json::value& value, Fingerprint& out) {
  const json::array* array = value.if_array();
  if (array == nullptr || array->size() != out.size()) return false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const json::value& byte = (*array)[i];
    if (!byte.is_int64() || byte.get_int64() < 0 || byte.get_int64() > 255) return false;
    out[i] = static_cast<std::uint8_t>(byte.get_int64());
  }
  return true;
}

std::int64_t number(const json::object& object, std::string_view key) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

}  // namespace

std::string to_text(const SavedRecord& record) {
  json::object out;
  out["failures"] = record.failures;
  out["until"] = record.until.micros;
  json::array earned;
  for (const SavedLogin& one : record.earned) {
    json::object login;
    login["user"] = to_array(one.user);
    login["secret"] = to_array(one.secret);
    login["key"] = one.key;
    login["until"] = one.until.micros;
    earned.emplace_back(std::move(login));
  }
  out["earned"] = std::move(earned);
  return json::serialize(out);
}

base::Result<SavedRecord> record_from_text(std::string key, std::string_view text) {
  boost::system::error_code error;
  const json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error || !value.is_object()) {
    return base::fail(base::Errc::kInvalid, "casebook: a login record is no JSON object");
  }
  const json::object& object = value.get_object();
  SavedRecord out;
  out.record = std::move(key);
  out.failures = static_cast<std::uint32_t>(number(object, "failures"));
  out.until.micros = number(object, "until");
  const json::value* earned = object.if_contains("earned");
  if (earned == nullptr || !earned->is_array()) return out;
  for (const json::value& item : earned->get_array()) {
    const json::object* login = item.if_object();
    const json::value* user = login != nullptr ? login->if_contains("user") : nullptr;
    const json::value* secret = login != nullptr ? login->if_contains("secret") : nullptr;
    SavedLogin one;
    if (user == nullptr || secret == nullptr || !from_array(*user, one.user) ||
        !from_array(*secret, one.secret)) {
      return base::fail(base::Errc::kInvalid, "casebook: a login record is malformed");
    }
    const json::value* is_key = login->if_contains("key");
    one.key = is_key != nullptr && is_key->is_bool() && is_key->get_bool();
    one.until.micros = number(*login, "until");
    out.earned.push_back(one);
  }
  return out;
}

}  // namespace sandtrap::warden
