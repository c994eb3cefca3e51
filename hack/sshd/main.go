// An SSH server for tests that has git repositories: `sshd DIRECTORY ADDRESS HOST-KEY AUTHORIZED-KEYS`.
//
// It lets one key in, and runs git-upload-pack and git-receive-pack below the directory; a repository that is pushed to
// is made. The images of the project hold no SSH server, and an end-to-end test needs one beside the cluster's pods.
package main

import (
	"bytes"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"

	"golang.org/x/crypto/ssh"
)

var command = regexp.MustCompile(`^(git-upload-pack|git-receive-pack) '/?([a-z0-9-]+\.git)'$`)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: sshd DIRECTORY ADDRESS HOST-KEY AUTHORIZED-KEY")
	}
	if err := serve(os.Args[1], os.Args[2], os.Args[3], os.Args[4]); err != nil {
		log.Fatal(err)
	}
}

func serve(root, address, hostKey, authorized string) error {
	config, err := configuration(hostKey, authorized)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go converse(connection, config, root)
	}
}

func configuration(hostKey, authorized string) (*ssh.ServerConfig, error) {
	pem, err := os.ReadFile(hostKey)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(pem)
	if err != nil {
		return nil, err
	}
	line, err := os.ReadFile(authorized)
	if err != nil {
		return nil, err
	}
	wanted, _, _, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		return nil, err
	}
	config := &ssh.ServerConfig{
		PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			if bytes.Equal(key.Marshal(), wanted.Marshal()) {
				return nil, nil
			}
			return nil, fmt.Errorf("unknown key")
		},
	}
	config.AddHostKey(signer)
	return config, nil
}

func converse(connection net.Conn, config *ssh.ServerConfig, root string) {
	defer connection.Close()
	server, channels, requests, err := ssh.NewServerConn(connection, config)
	if err != nil {
		log.Print(err)
		return
	}
	defer server.Close()
	go ssh.DiscardRequests(requests)
	for offered := range channels {
		if offered.ChannelType() != "session" {
			offered.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		channel, asked, err := offered.Accept()
		if err != nil {
			return
		}
		go session(channel, asked, root)
	}
}

func session(channel ssh.Channel, asked <-chan *ssh.Request, root string) {
	defer channel.Close()
	var protocol string
	for request := range asked {
		switch request.Type {
		case "env":
			var pair struct{ Name, Value string }
			if ssh.Unmarshal(request.Payload, &pair) == nil && pair.Name == "GIT_PROTOCOL" {
				protocol = pair.Value
			}
			request.Reply(true, nil)
		case "exec":
			var given struct{ Line string }
			ssh.Unmarshal(request.Payload, &given)
			request.Reply(true, nil)
			status := struct{ Code uint32 }{run(channel, given.Line, protocol, root)}
			channel.SendRequest("exit-status", false, ssh.Marshal(&status))
			return
		default:
			request.Reply(false, nil)
		}
	}
}

func run(channel ssh.Channel, line, protocol, root string) uint32 {
	found := command.FindStringSubmatch(line)
	if found == nil {
		fmt.Fprintln(channel.Stderr(), "git only")
		return 1
	}
	log.Print(line)
	repository := filepath.Join(root, found[2])
	if found[1] == "git-receive-pack" {
		exec.Command("git", "init", "--quiet", "--bare", "--initial-branch=main", repository).Run()
	}
	program := exec.Command(found[1], repository)
	program.Env = append(os.Environ(), "GIT_PROTOCOL="+protocol)
	program.Stdout, program.Stderr = channel, channel.Stderr()
	stdin, err := program.StdinPipe()
	if err != nil || program.Start() != nil {
		return 1
	}
	go func() {
		defer stdin.Close()
		buffer := make([]byte, 1<<16)
		for {
			n, err := channel.Read(buffer)
			if _, failed := stdin.Write(buffer[:n]); err != nil || failed != nil {
				return
			}
		}
	}()
	if program.Wait() != nil {
		return 1
	}
	return 0
}
