#include "app/engines.h"

#include "sandbox/docker_engine.h"
#include "sandbox/fake_engine.h"
#include "sandbox/oci_engine.h"

namespace sandtrap::app {
namespace {

sandbox::OciOptions oci_options(const config::Settings& s) {
  sandbox::OciOptions options;
  options.runtime = s.oci.runtime;
  options.image = s.oci.image;
  for (const config::PoolImage& one : s.container_pool.images) {
    if (!one.image.empty()) options.images.push_back(one.image);
  }
  options.data_dir = s.data_dir;
  options.run_dir = s.run_dir;
  options.userns_base = s.oci.userns_base;
  options.userns_size = s.oci.userns_size;
  options.disk_bytes = s.container.disk_bytes;
  options.start_timeout = s.container_pool.start_timeout;
  options.verify_timeout = s.container_pool.verify_timeout;
  options.agent_timeout = s.container_pool.agent_timeout;
  return options;
}

sandbox::DockerOptions docker_options(const config::Settings& s) {
  sandbox::DockerOptions options;
  options.socket = s.docker.socket;
  options.image = s.docker.image;
  options.runtime = s.docker.runtime;
  options.data_dir = s.data_dir;
  options.start_timeout = s.container_pool.start_timeout;
  options.verify_timeout = s.container_pool.verify_timeout;
  options.agent_timeout = s.container_pool.agent_timeout;
  return options;
}

sandbox::FakeOptions fake_options(const config::Settings& s) {
  sandbox::FakeOptions options;
  options.root = s.run_dir + "/fake";
  options.preserved = s.data_dir + "/preserved";
  return options;
}

}  // namespace

std::unique_ptr<sandbox::Engine> make_engine(const config::Settings& settings,
                                             boost::asio::io_context& io, base::Log& log) {
  const std::string& engine = settings.container_pool.engine;
  if (engine == "docker") {
    return std::make_unique<sandbox::DockerEngine>(docker_options(settings), io.get_executor(),
                                                   log);
  }
  if (engine == "fake") {
    return std::make_unique<sandbox::FakeEngine>(fake_options(settings), log);
  }
  return std::make_unique<sandbox::OciEngine>(oci_options(settings), io, log);
}

}  // namespace sandtrap::app
