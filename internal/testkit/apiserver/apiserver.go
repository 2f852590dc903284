// Package apiserver starts a real API server, with Lockstep's kinds, roles and admission policy, for tests of what only
// one can show: CEL, ownership, watches, deletion.
package apiserver

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/config"
)

// Server is a real API server with its etcd.
type Server struct {
	// Config and Client are those of an administrator.
	Config *rest.Config
	Client client.Client
	Scheme *runtime.Scheme
	env    *envtest.Environment
}

// Start starts one. It needs KUBEBUILDER_ASSETS, and takes the CRDs of Istio and the Gateway API from LOCKSTEP_CRDS where
// that is set; `make unit` sets both.
func Start() (*Server, error) {
	if os.Getenv("KUBEBUILDER_ASSETS") == "" {
		return nil, errors.New("KUBEBUILDER_ASSETS is not set: run `make unit`, or set it to what `go -C hack/cluster run . assets` prints")
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	s := &Server{Scheme: scheme, env: &envtest.Environment{CRDDirectoryPaths: crds(), ErrorIfCRDPathMissing: true}}
	var err error
	if s.Config, err = s.env.Start(); err != nil {
		return nil, fmt.Errorf("the API server does not start: %w", err)
	}
	s.Config.QPS, s.Config.Burst = 200, 400
	if s.Client, err = client.New(s.Config, client.Options{Scheme: scheme}); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, s.install()
}

func crds() []string {
	dir := os.Getenv("LOCKSTEP_CRDS")
	if dir == "" {
		return nil
	}
	return []string{filepath.Join(dir, "gateway-api"), filepath.Join(dir, "istio")}
}

// install applies everything that `kubectl lockstep install` does.
func (s *Server) install() error {
	objects, err := config.Objects(config.Options{})
	if err != nil {
		return err
	}
	for _, o := range objects {
		if err := s.Apply(o); err != nil {
			return err
		}
	}
	if err := s.aggregate(); err != nil {
		return err
	}
	return s.served()
}

// aggregate does what the controller manager, which does not run here, does with ClusterRoles that are made of others.
func (s *Server) aggregate() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var parts rbacv1.ClusterRoleList
	if err := s.Client.List(ctx, &parts, client.MatchingLabels{"lockstep.dev/aggregate-to-releaser": "true"}); err != nil {
		return err
	}
	releaser := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.ReleaserClusterRole}}
	if err := s.Client.Get(ctx, client.ObjectKeyFromObject(releaser), releaser); err != nil {
		return err
	}
	releaser.Rules = nil
	for _, part := range parts.Items {
		releaser.Rules = append(releaser.Rules, part.Rules...)
	}
	return s.Client.Update(ctx, releaser)
}

// Apply applies an object, server-side.
func (s *Server) Apply(o *unstructured.Unstructured) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return s.Client.Patch(ctx, o.DeepCopy(), client.Apply, client.FieldOwner("test"), client.ForceOwnership) //nolint:staticcheck // unstructured objects have no apply configuration
}

// served waits until Lockstep's kinds can be asked for.
func (s *Server) served() error {
	deadline := time.Now().Add(30 * time.Second)
	for {
		err := errors.Join(
			s.Client.List(context.Background(), &v1alpha1.StackList{}),
			s.Client.List(context.Background(), &v1alpha1.ReleaseList{}),
			s.Client.List(context.Background(), &v1alpha1.DecisionList{}),
		)
		if err == nil || time.Now().After(deadline) {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// As returns a client of another user.
func (s *Server) As(user string, groups ...string) (client.Client, error) {
	c := rest.CopyConfig(s.Config)
	c.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: groups}
	return client.New(c, client.Options{Scheme: s.Scheme})
}

// Stop ends it.
func (s *Server) Stop() error { return s.env.Stop() }
