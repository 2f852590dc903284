package node

import (
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// forward sends whatever connects to a loopback port on to an address of the
// cluster. It does so on both sides: the listener inherited from outside, and
// one with the same port inside, so that one kubeconfig and one set of
// addresses are right everywhere.
func forward(outside net.Listener, port int, to string) error {
	inside, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return err
	}
	go acceptAll(outside, to)
	go acceptAll(inside, to)
	return nil
}

func acceptAll(from net.Listener, to string) {
	for {
		conn, err := from.Accept()
		if err != nil {
			return
		}
		go join(conn.(*net.TCPConn), to)
	}
}

func join(client *net.TCPConn, to string) {
	defer client.Close()
	conn, err := net.DialTimeout("tcp", to, 10*time.Second)
	if err != nil {
		return
	}
	server := conn.(*net.TCPConn)
	defer server.Close()
	var both sync.WaitGroup
	both.Go(func() { copyHalf(server, client) })
	both.Go(func() { copyHalf(client, server) })
	both.Wait()
}

// copyHalf passes on the end of one direction and leaves the other open. After
// an error nothing more can arrive in either.
func copyHalf(to, from *net.TCPConn) {
	if _, err := io.Copy(to, from); err != nil {
		_ = to.Close()
		_ = from.Close()
		return
	}
	_ = to.CloseWrite()
}
