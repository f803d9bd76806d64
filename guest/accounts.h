// The machine's own accounts: what its sshd would say about a password or a key. Everything is
// decided in here, by the guest's own means; outside nobody reads a file of the sandbox's.
#ifndef SANDTRAP_GUEST_ACCOUNTS_H
#define SANDTRAP_GUEST_ACCOUNTS_H

#include "login.h"

// Exit status of a check.
enum { kAccepted = 0, kRefused = 1, kNotOurs = 2 };

// Password or key on standard input. kNotOurs: the account does not exist, or has the password that
// the image came with, which nobody knows.
int check_account(const struct Request* request);
int check_key(const struct Request* request, const struct Account* account);  // keys.c

// Of an accepted login: makes the account if need be, gives it the password of the request if
// it has none of its own yet. 0, or the exit status that says why not.
int open_account(const struct Request* request, struct Account* account);

#endif
