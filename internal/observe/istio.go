package observe

import (
	"context"
	"fmt"
	"strings"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/internal/entry"
)

// istioGateway is what matters of an Istio Gateway.
type istioGateway struct {
	Spec struct {
		Selector map[string]string `json:"selector"`
		Servers  []istioServer     `json:"servers"`
	} `json:"spec"`
}

type istioServer struct {
	Port struct {
		Number   int32  `json:"number"`
		Protocol string `json:"protocol"`
	} `json:"port"`
	Hosts []string `json:"hosts"`
	TLS   *struct {
		HTTPSRedirect bool   `json:"httpsRedirect"`
		Mode          string `json:"mode"`
	} `json:"tls"`
}

func (p *pass) istioDoor(ctx context.Context, route, u *unstructured.Unstructured, parent entry.Parent) (*door, error) {
	gateway, err := decode[istioGateway](u)
	if err != nil {
		return shut("%v", err), nil
	}
	d := &door{gateway: parent.String()}
	for _, server := range gateway.Spec.Servers {
		if why := server.silent(); why != "" && len(server.takes(route, parent.Namespace)) > 0 {
			d.cannotAsk = fmt.Sprintf("port %d of %s cannot be asked: %s", server.Port.Number, parent, why)
		} else if l := server.listener(route, parent.Namespace); len(l.hosts) > 0 {
			d.listeners = add(d.listeners, l)
		}
	}
	if len(d.listeners) == 0 || d.cannotAsk != "" {
		return d, nil
	}
	return d, p.behindSelector(ctx, d, gateway.Spec.Selector)
}

// listener is empty of hosts where the server takes none of the route's.
func (s istioServer) listener(route *unstructured.Unstructured, home string) listener {
	l := listener{port: s.Port.Number, tls: s.TLS != nil && s.TLS.Mode != ""}
	if s.redirects() || !s.speaksHTTP() {
		return l
	}
	l.hosts = s.takes(route, home)
	return l
}

func (s istioServer) takes(route *unstructured.Unstructured, home string) []string {
	var hosts []string
	for _, host := range s.Hosts {
		namespace, name, scoped := strings.Cut(host, "/")
		if !scoped {
			name = host
		} else if !inScope(namespace, route.GetNamespace(), home) {
			continue
		}
		hosts = append(hosts, meet(routeHosts(route), name)...)
	}
	return hosts
}

// inScope: the namespace before the slash says from where routes are taken; a dot is the Gateway's own.
func inScope(scope, namespace, home string) bool {
	return scope == "*" || scope == namespace || (scope == "." && namespace == home)
}

// redirects: such a server sends everyone elsewhere, and no route is served there.
func (s istioServer) redirects() bool { return s.TLS != nil && s.TLS.HTTPSRedirect }

func (s istioServer) speaksHTTP() bool {
	switch strings.ToUpper(s.Port.Protocol) {
	case "HTTP", "HTTP2", "GRPC", "GRPC-WEB":
		return true
	case "HTTPS":
		return s.silent() == ""
	}
	return false
}

// silent says why a server that serves the route cannot be asked.
func (s istioServer) silent() string {
	if s.TLS == nil || s.redirects() {
		return ""
	}
	switch s.TLS.Mode {
	case "MUTUAL", "ISTIO_MUTUAL":
		return "it wants a client certificate"
	case "PASSTHROUGH", "AUTO_PASSTHROUGH":
		return "it passes TLS through"
	}
	return ""
}

// behindSelector finds the gateway's Pods, and the Services that tell at which port each of them listens.
func (p *pass) behindSelector(ctx context.Context, d *door, selector map[string]string) error {
	d.looked = "Pods labelled " + labels.FormatLabels(selector)
	if len(selector) == 0 {
		d.cannotAsk = d.gateway + " has no selector, so that its Pods cannot be told from others"
		return nil
	}
	var pods corev1.PodList
	if err := p.Live.List(ctx, &pods, client.MatchingLabels(selector)); err != nil {
		return fmt.Errorf("listing the Pods of %s: %w", d.gateway, err)
	}
	d.pods = map[client.ObjectKey]*corev1.Pod{}
	namespaces := map[string]bool{}
	for i := range pods.Items {
		d.pods[client.ObjectKeyFromObject(&pods.Items[i])] = &pods.Items[i]
		namespaces[pods.Items[i].Namespace] = true
	}
	return p.servicesOver(ctx, d, namespaces)
}

func (p *pass) servicesOver(ctx context.Context, d *door, namespaces map[string]bool) error {
	for namespace := range namespaces {
		var services corev1.ServiceList
		g, inner := errgroup.WithContext(ctx)
		g.Go(func() error { return p.Live.List(inner, &services, client.InNamespace(namespace)) })
		g.Go(func() error { return p.slicesIn(inner, d, namespace) })
		if err := g.Wait(); err != nil {
			return fmt.Errorf("looking for the Services of %s: %w", d.gateway, err)
		}
		for _, s := range services.Items {
			if d.isOver(&s) {
				d.services = append(d.services, s)
			}
		}
	}
	return nil
}

func (d *door) isOver(s *corev1.Service) bool {
	if len(s.Spec.Selector) == 0 {
		return false
	}
	selector := labels.SelectorFromSet(s.Spec.Selector)
	for key, pod := range d.pods {
		if key.Namespace == s.Namespace && selector.Matches(labels.Set(pod.Labels)) {
			return true
		}
	}
	return false
}
