#include "app/engines.h"
#include "sandbox/fake_engine.h"
namespace sandtrap::app {
std::unique_ptr<sandbox::Engine> make_engine(const config::Settings&, boost::asio::io_context&,
                                             base::Log& log) {
  return std::make_unique<sandbox::FakeEngine>(sandbox::FakeOptions{}, log);
}
}  // namespace sandtrap::app
