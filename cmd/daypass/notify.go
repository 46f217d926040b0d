package main

import (
	"net"
	"os"
)

// notify tells the service manager how we are, where one wants to know: one
// datagram to the socket in NOTIFY_SOCKET, see sd_notify(3).
func notify(state string) error {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return nil
	}
	c, err := net.Dial("unixgram", socket) // a name with @ is an abstract one
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte(state))
	return err
}
