// sandtrap: what the command line asks for, one line each.
#include "cli/cli.h"

namespace {

using namespace sandtrap::cli;
namespace app = sandtrap::app;

struct Run {
  int operator()(const Finished& f) const { return f.exit_code; }
  int operator()(const app::ServeOptions& o) const { return app::serve(o); }
  int operator()(const ListenOptions& o) const { return app::lend_ports(o.config); }
  int operator()(const CheckOptions& o) const { return check(o); }
  int operator()(const PersonasOptions& o) const { return list_personas(o); }
  int operator()(const KeygenOptions& o) const { return keygen(o); }
  int operator()(const ImageOptions& o) const { return build_image(o); }
  int operator()(const VerifyOptions& o) const { return verify_containment(o); }
  int operator()(const ConfigDocumentOptions& o) const {
    return print_config_document(o.reference);
  }
  int operator()(const PolicyTestOptions& o) const { return test_policy(o); }
  int operator()(const SessionsOptions& o) const { return list_sessions(o); }
  int operator()(const ReplayOptions& o) const { return replay(o); }
  int operator()(const StatusOptions& o) const { return status(o); }
  int operator()(const DoctorOptions& o) const { return doctor(o); }
  int operator()(const CasesOptions& o) const { return list_cases(o); }
  int operator()(const CaseOptions& o) const { return case_command(o); }
  int operator()(const SandboxOptions& o) const { return sandbox_command(o); }
  int operator()(const CleanupOptions& o) const { return cleanup(o); }
  int operator()(const RoleOptions& o) const { return app::run_role(o.role); }
};

}  // namespace

int main(int argc, char** argv) {
  return std::visit(Run{}, parse_command_line(argc, argv));
}
