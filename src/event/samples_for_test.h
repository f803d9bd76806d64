// One of each event, every optional field set, every string the same: for tests that must see all
// of the vocabulary.
#pragma once

#include <string>
#include <vector>

#include "event/event.h"

namespace sandtrap::event {

inline std::vector<Body> samples_with_text(const std::string& t) {
  return {
      SensorStarted{t, t, t},
      SensorStopped{t, t},
      RoleRestarted{t, t},
      ConnectionOpened{t, 1, t, 64, t},
      ConnectionRefused{t, 2},
      ConnectionClosed{t, true, 1, 2, 3, 4, 5},
      TrafficSeen{1, t},
      ClientVersion{t, t},
      ClientKex{t, t, t, t, t, t, t, t, t, t, t, t},
      KexCompleted{t, t, t, t, t, t, false},
      LoginAttempt{true, t, t, t, t, t, t, true, 1, t, 2},
      LoginAttempt{false, t, t, t, t, t, t, false, 1, t, 2},
      KeyOffered{t, t, t, t, true, 1, 2},
      ChannelOpened{0},
      PtyRequested{0, t, 80, 24, t},
      EnvRequested{0, t, t, true},
      ProgramRequested{0, "shell", t},
      ProgramRequested{0, "exec", t},
      ProgramRequested{0, "subsystem", t},
      ProgramStarted{0, t, t, 1},
      ProgramRefused{0, t},
      ProgramExited{0, 1, t},
      WindowChanged{0, 80, 24},
      SignalSent{0, t},
      ChannelRequestSeen{0, t},
      ChannelClosed{0, 1, 2, 3},
      ForwardAttempt{t, t, 80, t, false},
      GlobalRequestSeen{t},
      SandboxReady{t, t, 1},
      SandboxClaimed{t, t, true, false, 1},
      SandboxReleased{t, 60},
      CaseOpened{{t}},
      CaseJoined{t, t},
      SandboxFrozen{t, t, 1, 2},
      SandboxThawed{t, 1},
      SandboxEvicted{t, t, t},
      SandboxRestored{t, t, 1},
      SandboxNotRestored{t, t, t},
      SandboxPreserved{t, t, t, 1, {t, t}, {t}},
      SandboxRemoved{t, t},
      PoolStatus{t, false, 3, 3, 0, 5, 0, 12, 900, 5, 0, 4, 4, 0, 0, {t}},
      RecordingFinished{t, 1, t, t, t, 2, 0, t, true},
      RecordingRemoved{t, 1, t},
      LogRotated{t, 1, 2},
      LogRemoved{t, 1, t},
      DiskSpace{true, 1, 2},
      DiskSpace{false, 2, 1},
      IpcDenied{t, t, t},
      ErrorRaised{t, t},
  };
}

}  // namespace sandtrap::event
