// Keeps the casebook (casebook.h) in step with what the warden knows: collects what has changed and
// saves it on the disk thread, one save at a time, so that the loop never waits for a disk. What is
// lost by a kill -9 is what changed in the last moment: usually some 20 ms, longer where a save
// takes or fails, for what changes meanwhile waits for that one. The file is as bounded as the
// table is. What the login policy remembers goes with its case.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/log.h"
#include "casebook/casebook.h"
#include "cases/table.h"
#include "event/event_log.h"

namespace sandtrap::warden {

class Bookkeeper {
 public:
  // All references outlive this; `disk` has been joined before this goes.
  Bookkeeper(boost::asio::any_io_executor loop, boost::asio::thread_pool& disk, cases::Table& cases,
             event::EventLog& events, base::Log& log);

  // Called for each thing the login policy remembered, in open().
  void on_memory(std::function<void(const std::string& key, const std::string& value)> callback) {
    on_memory_ = std::move(callback);
  }
  // Reads what an earlier run knew into the table. Blocks, shortly. A casebook that cannot be used
  // is an event; then this run remembers nothing.
  void open(const std::string& data_dir);

  void case_changed(const std::string& id);
  void memory_changed(std::string key, std::optional<std::string> value);
  // Saves what is left, in the caller's thread: at the very end, when the disk thread has ended.
  void finish();

 private:
  void flush();
  casebook::Changes collect();
  void saved(const casebook::Changes& changes, const base::Status& done);
  void go_on_after(std::chrono::milliseconds pause);
  void failed(const base::Error& error);

  boost::asio::any_io_executor loop_;
  boost::asio::thread_pool& disk_;
  cases::Table& cases_;
  event::EventLog& events_;
  base::Log& log_;
  std::shared_ptr<casebook::Casebook> book_;  // shared with a save under way
  std::set<std::string> dirty_, on_disk_;     // case ids
  std::map<std::string, std::optional<std::string>> memory_;
  std::function<void(const std::string&, const std::string&)> on_memory_;
  boost::asio::steady_timer next_;
  bool saving_ = false, reported_ = false;
};

}  // namespace sandtrap::warden
