#include "gate/persona.h"

#include "base/error.h"
#include "config/persona.h"

namespace sandtrap::gate {

ssh::Profile profile_for(const config::Settings& settings) {
  // load() found it good, so there is one.
  auto persona = config::persona_of(settings);
  SANDTRAP_CHECK(persona.has_value());
  ssh::Profile profile = std::move(persona->profile);
  profile.login_grace = settings.server.login_grace_time;
  profile.max_sessions = settings.server.max_sessions;
  profile.max_auth_tries = settings.authentication.max_auth_tries;
  profile.pam_delay_min = settings.authentication.failure_delay_min;
  profile.pam_delay_max = settings.authentication.failure_delay_max;
  const config::Authentication& login = settings.authentication;
  profile.empty_passwords = login.asks_none;
  profile.passwords = login.offers_passwords;
  profile.keyboard_interactive = login.keyboard_interactive && login.offers_passwords;
  profile.auth_methods = "publickey";
  if (profile.passwords) profile.auth_methods += ",password";
  if (profile.keyboard_interactive) profile.auth_methods += ",keyboard-interactive";
  profile.no_port_forwarding = !settings.forwarding.enabled;
  profile.xauth = settings.forwarding.x11;
  profile.forward_rules.clear();
  for (const std::string& text : settings.forwarding.rules) {
    if (auto rule = ssh::parse_forward_rule(text)) profile.forward_rules.push_back(*rule);
  }
  return profile;
}

Persona persona_for(const config::Settings& settings, ipc::Welcome welcome,
                    const std::vector<ssh::Modulus>& moduli) {
  Persona persona;
  persona.profile = profile_for(settings);
  persona.profile.moduli = moduli;
  persona.delay_secret = welcome.delay_secret;
  for (auto& [type, blob] : welcome.host_keys) {
    persona.host_keys.push_back({std::move(type), std::move(blob)});
  }
  return persona;
}

}  // namespace sandtrap::gate
