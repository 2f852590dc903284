package node

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// readyHost is the hostname of a route of our own that answers as soon as a
// gateway has its configuration.
const readyHost = "ready.lockstep.invalid"

const gatewayReplicas = 2

// eventually repeats a check until it passes or ctx ends.
func eventually(ctx context.Context, what string, check func(context.Context) error) error {
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w (%w)", what, err, context.Cause(ctx))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (a *api) apiReady(ctx context.Context) error { return a.get(ctx, "/readyz", nil) }

func (a *api) nodeReady(ctx context.Context) error {
	var node struct {
		Status struct{ Conditions []condition }
	}
	if err := a.get(ctx, "/api/v1/nodes/"+nodeName, &node); err != nil {
		return err
	}
	if !isTrue(node.Status.Conditions, "Ready") {
		return errors.New("the node is not Ready")
	}
	return nil
}

func (a *api) gatewaysServe(ctx context.Context) error {
	var pods struct {
		Items []struct {
			Status struct {
				PodIP      string
				Conditions []condition
			}
		}
	}
	if err := a.get(ctx, "/api/v1/namespaces/istio-system/pods?labelSelector=istio%3Dingressgateway", &pods); err != nil {
		return err
	}
	if len(pods.Items) != gatewayReplicas {
		return fmt.Errorf("%d gateway Pods of %d", len(pods.Items), gatewayReplicas)
	}
	for _, pod := range pods.Items {
		if !isTrue(pod.Status.Conditions, "Ready") {
			return errors.New("a gateway Pod is not Ready")
		}
		if err := served(ctx, pod.Status.PodIP+":8080"); err != nil {
			return err
		}
	}
	return served(ctx, gatewayVIP)
}

// served tells whether a gateway has the route that proves its configuration.
func served(ctx context.Context, address string) error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return getURL(ctx, client, "http://"+address+"/", readyHost, nil)
}

func (a *api) gatewayProgrammed(ctx context.Context) error {
	var gateway struct {
		Status struct{ Conditions []condition }
	}
	path := "/apis/gateway.networking.k8s.io/v1/namespaces/istio-system/gateways/public"
	if err := a.get(ctx, path, &gateway); err != nil {
		return err
	}
	if !isTrue(gateway.Status.Conditions, "Programmed") {
		return errors.New("the Gateway public is not Programmed")
	}
	return nil
}

func istiodReady(ctx context.Context) error {
	return getURL(ctx, &http.Client{Timeout: time.Second}, "http://127.0.0.1:8080/ready", "", nil)
}

// dnsReady asks through the Service, so that kube-proxy's rules are there too.
func dnsReady(ctx context.Context) error {
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "udp", dnsIP+":53")
	}}
	ctx, stop := context.WithTimeout(ctx, time.Second)
	defer stop()
	_, err := resolver.LookupHost(ctx, "istiod.istio-system.svc.cluster.local.")
	return err
}

func listens(address string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}
