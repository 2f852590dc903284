package apply

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/plan"
)

const (
	// silentAfter is how long a Service that refuses connections is asked before that is said.
	silentAfter = 10 * time.Second
	// unaskedAfter is how long one that gives no answer at all is.
	unaskedAfter = 3 * time.Second
	// dialAgainAfter is the pause between two attempts.
	dialAgainAfter = 20 * time.Millisecond
	// dialAtOnce bounds how many connections are made at the same time.
	dialAtOnce = 8
)

// dialServices connects once to every Service of the release's members, and returns which gave no answer at all. It proves
// the node that the controller runs on, which is what can be asked; the others follow the same EndpointSlices.
func (a *Applier) dialServices(ctx context.Context, s *plan.Snapshot, act plan.DialServices) (unasked string, err error) {
	slot, err := slotOf(s, act.Slot)
	if err != nil {
		return "", err
	}
	release, err := releaseOf(s, act.Release)
	if err != nil {
		return "", err
	}
	services := &corev1.ServiceList{}
	if err := a.Client.List(ctx, services, client.InNamespace(slot.Namespace)); err != nil {
		return "", fmt.Errorf("listing the Services of slot %s: %w", slot.Name, err)
	}
	doors := doorsOf(release, services.Items)
	silent := make([]string, len(doors))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(dialAtOnce)
	for i, d := range doors {
		group.Go(func() (err error) {
			silent[i], err = a.dial(ctx, d)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	if names := listed(silent, maxDrifted); names != "" {
		return fmt.Sprintf("slot %s: no answer from %s; a NetworkPolicy may keep Lockstep out, and the switch goes on without that proof", slot.Name, names), nil
	}
	return "", nil
}

// door is a Service, with the addresses that callers of it connect to.
type door struct {
	service   string
	addresses []string
}

// doorsOf are the release's Services that a connection can be made to from any node.
func doorsOf(release *v1alpha1.Release, services []corev1.Service) []door {
	var doors []door
	for i := range services {
		s := &services[i]
		if !serves(release, s.Name) || !proxied(s) {
			continue
		}
		d := door{service: s.Name}
		for _, port := range s.Spec.Ports {
			if port.Protocol == corev1.ProtocolTCP {
				d.addresses = append(d.addresses, net.JoinHostPort(s.Spec.ClusterIP, strconv.Itoa(int(port.Port))))
			}
		}
		if len(d.addresses) > 0 {
			doors = append(doors, d)
		}
	}
	return doors
}

func serves(release *v1alpha1.Release, service string) bool {
	return release.Status.Started != nil && slices.ContainsFunc(release.Status.Started.Members, func(m v1alpha1.ReleaseMember) bool {
		return m.Role != v1alpha1.RoleWorker && slices.Contains(m.Services, service)
	})
}

// proxied is whether callers on every node are sent to the Service's endpoints by its address.
func proxied(s *corev1.Service) bool {
	local := s.Spec.InternalTrafficPolicy != nil && *s.Spec.InternalTrafficPolicy == corev1.ServiceInternalTrafficPolicyLocal
	return net.ParseIP(s.Spec.ClusterIP) != nil && !local
}

// dial connects to a Service until it answers. It returns its name where no answer came at all, and a refusal where the
// network keeps turning callers away.
func (a *Applier) dial(ctx context.Context, d door) (silent string, err error) {
	begun := time.Now()
	for {
		err := a.knock(ctx, d)
		switch waited := time.Since(begun); {
		case err == nil || ctx.Err() != nil:
			return "", ctx.Err()
		case turnedAway(err) && waited >= silentAfter:
			return "", refuse(v1alpha1.ReasonServiceSilent, "Service %s has ready endpoints, but turns callers away (%v): kube-proxy lags behind, or its ports lead nowhere", d.service, err)
		case !turnedAway(err) && waited >= unaskedAfter:
			return "Service " + d.service, nil
		}
		select {
		case <-time.After(dialAgainAfter):
		case <-ctx.Done():
		}
	}
}

// knock tries one port after the other: a Service's ports become reachable together, and not each need be in use.
func (a *Applier) knock(ctx context.Context, d door) error {
	var failed []error
	for _, address := range d.addresses {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		conn, err := a.Dial(ctx, "tcp", address)
		cancel()
		if err == nil {
			return conn.Close()
		}
		failed = append(failed, err)
	}
	return errors.Join(failed...)
}

// turnedAway is whether the network itself said no: nobody is behind the address.
func turnedAway(err error) bool {
	return slices.ContainsFunc([]error{syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH}, func(no error) bool { return errors.Is(err, no) })
}
