// What `sandtrap doctor` looks at: one function a topic, each giving findings and changing nothing.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"

namespace sandtrap::cli {

struct Finding {
  enum class Level { kGood, kNote, kPrevents } level = Level::kGood;
  std::string topic;    // "cgroups"
  std::string found;    // what is there
  std::string follows;  // what that means; empty if all is well
  std::string todo;     // what to do about it; empty if nothing
};
using Findings = std::vector<Finding>;

// doctor_kernel.cc: what the kernel offers
Finding examine_rights();
Finding examine_kernel();
Finding examine_cgroups(const config::Settings& settings);
Finding examine_user_namespaces(const config::Settings& settings);
Finding examine_overlay(const config::Settings& settings);
Finding examine_loop(const config::Settings& settings);
Finding examine_idmap(const config::Settings& settings);
Finding examine_seccomp();
Finding examine_clock();

// doctor_setup.cc: what the configuration asks of this machine
Finding examine_engine(const config::Settings& settings);
Finding examine_image(const config::Settings& settings);
Findings examine_ports(const config::Settings& settings);
Finding examine_accounts(const config::Settings& settings);
Finding examine_data_folder(const config::Settings& settings);
Finding examine_disk(const config::Settings& settings);
Finding examine_descriptors(const config::Settings& settings);
Finding examine_terminals(const config::Settings& settings);

Findings examine_all(const config::Settings& settings);
bool can_run(const Findings& findings);
std::string as_json(const Findings& findings);
std::string as_text(const Findings& findings, bool colours);

}  // namespace sandtrap::cli
