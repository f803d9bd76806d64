#include "sandbox/label_writer.h"

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <memory>
#include <optional>

#include "net/task.h"
#include "sandbox/label.h"

namespace sandtrap::sandbox {
namespace {

struct Job {  // shared with the thread
  explicit Job(const boost::asio::any_io_executor& executor)
      : written(executor, boost::asio::steady_timer::time_point::max()) {}
  std::optional<base::Status> result;
  boost::asio::steady_timer written;  // cancelled when it is
};

}  // namespace

Task<base::Status> LabelWriter::write(std::string directory, std::string name, Label label) {
  const boost::asio::any_io_executor loop = co_await boost::asio::this_coro::executor;
  const auto job = std::make_shared<Job>(loop);
  boost::asio::post(disk_, [job, loop, directory = std::move(directory), name = std::move(name),
                            label = std::move(label)] {
    auto result = write_label(directory, name, label);
    boost::asio::post(loop, [job, result = std::move(result)]() mutable {
      job->result = std::move(result);
      job->written.cancel();
    });
  });
  while (!job->result) co_await job->written.async_wait(net::use_ec);
  co_return std::move(*job->result);
}

}  // namespace sandtrap::sandbox
