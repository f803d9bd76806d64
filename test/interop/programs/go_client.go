// golang.org/x/crypto/ssh as a client. Usage: go_client PORT USER SECRET [NAME=VALUE …] MODE ARGUMENT
//
//	SECRET  a password, or key:FILE
//	NAME    kex, hostkey, cipher, mac
//	MODE    exec COMMAND | pty COMMAND | forward PORT | listen PORT
package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"

	"golang.org/x/crypto/ssh"
)

func fail(what string, err error) {
	fmt.Fprintf(os.Stderr, "%s: %v\n", what, err)
	os.Exit(255)
}

func method(secret string) ssh.AuthMethod {
	if !strings.HasPrefix(secret, "key:") {
		return ssh.Password(secret)
	}
	pem, err := os.ReadFile(secret[4:])
	if err != nil {
		fail("key", err)
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		fail("key", err)
	}
	return ssh.PublicKeys(signer)
}

func run(client *ssh.Client, command string, pty bool) {
	session, err := client.NewSession()
	if err != nil {
		fail("session", err)
	}
	session.Stdin, session.Stdout, session.Stderr = os.Stdin, os.Stdout, os.Stderr
	if pty {
		session.Stdin = nil
		if err := session.RequestPty("xterm", 30, 100, ssh.TerminalModes{ssh.ECHO: 0}); err != nil {
			fail("pty", err)
		}
	}
	if err := session.Run(command); err != nil {
		var exit *ssh.ExitError
		if errors.As(err, &exit) && exit.Signal() == "" {
			os.Exit(exit.ExitStatus())
		}
		fail("run", err)
	}
}

func main() {
	if len(os.Args) < 6 {
		os.Exit(2)
	}
	config := &ssh.ClientConfig{User: os.Args[2], Auth: []ssh.AuthMethod{method(os.Args[3])}, HostKeyCallback: ssh.InsecureIgnoreHostKey()}
	words := os.Args[4:]
	for ; strings.Contains(words[0], "="); words = words[1:] {
		name, value, _ := strings.Cut(words[0], "=")
		list := strings.Split(value, ",")
		switch name {
		case "kex":
			config.KeyExchanges = list
		case "hostkey":
			config.HostKeyAlgorithms = list
		case "cipher":
			config.Ciphers = list
		case "mac":
			config.MACs = list
		}
	}
	client, err := ssh.Dial("tcp", "127.0.0.1:"+os.Args[1], config)
	if err != nil {
		fail("dial", err)
	}
	switch words[0] {
	case "exec", "pty":
		run(client, words[1], words[0] == "pty")
	case "forward":
		if _, err := client.Dial("tcp", net.JoinHostPort("127.0.0.1", words[1])); err != nil {
			fail("forward", err)
		}
	case "listen":
		if _, err := client.Listen("tcp", net.JoinHostPort("127.0.0.1", words[1])); err != nil {
			fail("listen", err)
		}
	}
}
