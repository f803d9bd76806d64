#!/usr/bin/env python3
"""An OCI runtime that weakens what it is given, for the tests of `sandtrap verify`.

Usage: weak_runtime.py WEAKNESS REAL_RUNTIME ARGUMENTS...
Changes the bundle's config.json as WEAKNESS says, then becomes REAL_RUNTIME. The configuration
names a script of one line that starts this: oci.runtime is an ordinary setting.
"""
import json
import os
import sys


def without_namespace(*kinds):
    def change(config):
        spaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [one for one in spaces if one["type"] not in kinds]
        if "uts" in kinds:
            config.pop("hostname", None)
        if "ipc" in kinds:  # a queue file system belongs to an ipc namespace
            config["mounts"] = [one for one in config["mounts"] if one["type"] != "mqueue"]
        if "network" in kinds:  # neither may be made without an own network namespace
            config["linux"].pop("sysctl", None)
            config["mounts"] = [one for one in config["mounts"] if one["type"] != "sysfs"]
    return change


def without_users(config):
    without_namespace("user")(config)
    config["linux"].pop("uidMappings")
    config["linux"].pop("gidMappings")


def writable_kernel(config):
    without_users(config)
    config["linux"]["readonlyPaths"] = []


def unmasked(config):
    config["linux"]["maskedPaths"] = []


def new_privileges(config):
    config["process"]["noNewPrivileges"] = False


def no_filter(config):
    config["linux"].pop("seccomp")


def bind(source, target):
    def change(config):
        config["mounts"].append({"destination": target, "type": "bind", "source": source,
                                 "options": ["rbind", "ro"]})
    return change


def device(config):  # a user namespace alone would still keep it shut
    without_users(config)
    bind("/dev/loop-control", "/dev/loop-control")(config)
    config["linux"]["resources"]["devices"].append(
        {"allow": True, "type": "c", "major": 10, "minor": 237, "access": "rwm"})


def without_resource(*names):
    def change(config):
        for name in names:
            config["linux"]["resources"].pop(name, None)
    return change


def no_process_limits(config):
    config["process"].pop("rlimits")


def keep_capabilities(config):
    sets = config["process"]["capabilities"]
    sets["inheritable"] = sets["ambient"] = ["CAP_CHOWN"]


def more_capabilities(config):
    for kind in ("bounding", "effective", "permitted"):
        config["process"]["capabilities"][kind].append("CAP_SYS_ADMIN")


WEAKNESSES = {
    "host-network": without_namespace("network"),
    "host-ipc": without_namespace("ipc"),
    "host-uts": without_namespace("uts"),
    "host-cgroups": without_namespace("cgroup"),
    "host-users": without_users,
    "writable-kernel": writable_kernel,
    "unmasked": unmasked,
    "no-filter": no_filter,
    "new-privileges": new_privileges,
    "host-folder": bind("/usr", "/host"),
    "engine-socket": bind("/usr/bin/true", "/run/docker.sock"),
    "device": device,
    "no-process-limit": without_resource("pids"),
    "no-memory-limit": without_resource("memory"),
    "no-cpu-limit": without_resource("cpu"),
    "no-process-limits": no_process_limits,
    "kept-capabilities": keep_capabilities,
    "more-capabilities": more_capabilities,
}


def bundle_of(arguments):
    for option in ("--bundle", "-b"):
        if option in arguments:
            return arguments[arguments.index(option) + 1]
    return None


def main():
    weakness, runtime, arguments = sys.argv[1], sys.argv[2], sys.argv[3:]
    bundle = bundle_of(arguments)
    if bundle:
        path = os.path.join(bundle, "config.json")
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        WEAKNESSES[weakness](config)
        with open(path, "w", encoding="utf-8") as file:
            json.dump(config, file)
    os.execv(runtime, [runtime, *arguments])


main()
