// What the Docker engine, its sandboxes and their processes share. One per engine.
#pragma once

#include <string>

#include "base/log.h"
#include "sandbox/docker_api.h"
#include "sandbox/docker_engine.h"
#include "sandbox/docker_exits.h"
#include "sandbox/label_writer.h"

namespace sandtrap::sandbox {

struct DockerContext {
  DockerContext(DockerOptions given, const boost::asio::any_io_executor& on, base::Log& to_log)
      : options(std::move(given)),
        executor(on),
        log(to_log),
        api(on, options.socket),
        exits(on, options.socket, options.instance, to_log) {}

  DockerOptions options;
  boost::asio::any_io_executor executor;
  base::Log& log;
  DockerApi api;
  DockerExits exits;
  LabelWriter labels;
  std::string seccomp;
  bool limit_disk = false;  // the storage driver takes a size

  std::string label_directory(const std::string& id) const {
    return options.data_dir + "/sandboxes/" + id;
  }
  std::string preserved_directory(const std::string& id) const {
    return options.data_dir + "/preserved/" + id;
  }
};

}  // namespace sandtrap::sandbox
