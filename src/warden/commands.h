// What an operator may order by the control socket (control.h).
#pragma once

#include <string>

#include "cases/table.h"
#include "net/task.h"
#include "warden/pool.h"
#include "warden/preserved.h"

namespace sandtrap::warden {

class Commands {
 public:
  // All outlive this.
  Commands(SandboxPool& pool, cases::Table& cases, PreservedSandboxes& preserved)
      : pool_(pool), cases_(cases), preserved_(preserved) {}

  // Takes and gives JSON; whatever is wrong with the request becomes an answer.
  net::Task<std::string> handle(std::string request);

 private:
  net::Task<base::Status> drop(std::string case_id);

  SandboxPool& pool_;
  cases::Table& cases_;
  PreservedSandboxes& preserved_;
};

}  // namespace sandtrap::warden
