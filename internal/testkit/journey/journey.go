// Package journey drives Lockstep on a real cluster as a team would: it pushes to a Git repository, applies manifests,
// and runs the kubectl plugin. The demo and the end-to-end tests are written with it.
package journey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
)

// Cluster is a real cluster with a gateway and a Git server, as `make cluster` prints it.
type Cluster struct {
	client.Client
	Config *rest.Config
	// Gateway is the host:port of the ingress gateway, from here.
	Gateway string
	// GitOutside and GitInside are the prefixes of repositories, from here and from Pods.
	GitOutside, GitInside string
	// Plugin is the kubectl plugin under test.
	Plugin string
	// Root of the checkout.
	Root string
}

// Connect takes the cluster from the environment: KUBECONFIG, LOCKSTEP_GATEWAY, LOCKSTEP_GIT and LOCKSTEP_GIT_INSIDE.
func Connect() (*Cluster, error) {
	for _, name := range []string{"KUBECONFIG", "LOCKSTEP_GATEWAY", "LOCKSTEP_GIT", "LOCKSTEP_GIT_INSIDE"} {
		if os.Getenv(name) == "" {
			return nil, fmt.Errorf("%s is not set: run this through make, or eval what `make cluster` prints", name)
		}
	}
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv("KUBECONFIG"))
	if err != nil {
		return nil, err
	}
	config.QPS, config.Burst = 100, 200
	c, err := client.New(config, client.Options{Scheme: Scheme()})
	if err != nil {
		return nil, err
	}
	root, err := root()
	return &Cluster{
		Client: c, Config: config, Gateway: os.Getenv("LOCKSTEP_GATEWAY"),
		GitOutside: os.Getenv("LOCKSTEP_GIT"), GitInside: os.Getenv("LOCKSTEP_GIT_INSIDE"),
		Plugin: filepath.Join(root, "build", "bin", "kubectl-lockstep"), Root: root,
	}, err
}

// Scheme knows Kubernetes' own kinds and Lockstep's.
func Scheme() *runtime.Scheme {
	scheme := runtime.NewScheme()
	_ = clientgoscheme.AddToScheme(scheme) // registers types: it cannot fail
	_ = v1alpha1.AddToScheme(scheme)
	return scheme
}

func root() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, statErr := os.Stat(filepath.Join(dir, "examples", "shop")); statErr == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("not inside a checkout of Lockstep")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

// Result is what a command printed, and how it ended.
type Result struct {
	Stdout, Stderr string
	Code           int
	Began          time.Time
}

// Run runs the plugin, and shows it on echo where that is not nil.
func (c *Cluster) Run(ctx context.Context, echo io.Writer, args ...string) Result {
	cmd := exec.CommandContext(ctx, c.Plugin, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if echo != nil {
		cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, echo), io.MultiWriter(&stderr, echo)
	}
	began := time.Now()
	err := cmd.Run()
	result := Result{Stdout: stdout.String(), Stderr: stderr.String(), Began: began}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		result.Code = exit.ExitCode()
	case err != nil:
		result.Code, result.Stderr = -1, err.Error()
	}
	return result
}

// MustRun is Run, and an error where the plugin did not end with 0.
func (c *Cluster) MustRun(ctx context.Context, echo io.Writer, args ...string) (Result, error) {
	r := c.Run(ctx, echo, args...)
	if r.Code != 0 {
		return r, fmt.Errorf("kubectl lockstep %s ended with %d: %s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
	}
	return r, nil
}

// Install installs Lockstep as it was built last.
func (c *Cluster) Install(ctx context.Context, echo io.Writer) error {
	tag, err := os.ReadFile(filepath.Join(c.Root, "build", "images", "controller.tag"))
	if err != nil {
		return fmt.Errorf("the images are not built (make images): %w", err)
	}
	_, err = c.MustRun(ctx, echo, "install", "--wait", "--tag", strings.TrimSpace(string(tag)))
	return err
}

// Home makes a team's namespace, with the ServiceAccount that Lockstep works as, and its rights.
func (c *Cluster) Home(ctx context.Context, namespace string, also ...string) error {
	objects := []client.Object{
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: namespace}},
		&corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultServiceAccount, Namespace: namespace}},
	}
	for _, ns := range append([]string{namespace}, also...) {
		objects = append(objects, binding(ns, namespace))
	}
	for _, o := range objects {
		if err := c.Create(ctx, o); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

func binding(namespace, home string) *rbacv1.RoleBinding {
	return &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultServiceAccount, Namespace: namespace},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: v1alpha1.ReleaserClusterRole},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Name: v1alpha1.DefaultServiceAccount, Namespace: home}},
	}
}

// Apply applies YAML documents, server-side, as kubectl would.
func (c *Cluster) Apply(ctx context.Context, documents string) error {
	return each(documents, func(o *unstructured.Unstructured) error {
		return c.Patch(ctx, o, client.Apply, client.FieldOwner("kubectl"), client.ForceOwnership) //nolint:staticcheck // unstructured objects have no apply configuration
	})
}

// Remove deletes what YAML documents name, where it is there.
func (c *Cluster) Remove(ctx context.Context, documents string) error {
	return each(documents, func(o *unstructured.Unstructured) error { return client.IgnoreNotFound(c.Delete(ctx, o)) })
}

func each(documents string, do func(*unstructured.Unstructured) error) error {
	for document := range strings.SplitSeq(documents, "\n---\n") {
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(document), &o.Object); err != nil {
			return err
		}
		if len(o.Object) == 0 {
			continue
		}
		if err := do(o); err != nil {
			return fmt.Errorf("%s %s: %w", o.GetKind(), o.GetName(), err)
		}
	}
	return nil
}

// ForgetNamespace deletes a namespace without waiting until it is gone.
func (c *Cluster) ForgetNamespace(ctx context.Context, name string) error {
	return client.IgnoreNotFound(c.Delete(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}))
}

// DeleteNamespace deletes a namespace, and waits until it is gone.
func (c *Cluster) DeleteNamespace(ctx context.Context, name string) error {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	if err := c.Delete(ctx, ns); err != nil {
		return client.IgnoreNotFound(err)
	}
	return Until(ctx, 2*time.Minute, func(ctx context.Context) error {
		err := c.Get(ctx, client.ObjectKeyFromObject(ns), ns)
		if err == nil {
			return fmt.Errorf("namespace %s is still there", name)
		}
		return client.IgnoreNotFound(err)
	})
}

// Until asks until check says that it is so, and fails with what it said last.
func Until(ctx context.Context, timeout time.Duration, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not after %s: %w", timeout, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Ask sends one request through the gateway.
func (c *Cluster) Ask(ctx context.Context, host string, header http.Header) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.Gateway+"/", nil)
	if err != nil {
		return 0, "", err
	}
	req.Host = host
	maps.Copy(req.Header, header)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(raw), err
}

// Stack reads a Stack.
func (c *Cluster) Stack(ctx context.Context, namespace, name string) (*v1alpha1.Stack, error) {
	stack := &v1alpha1.Stack{}
	return stack, c.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, stack)
}

// UntilStack waits until check is true of the Stack.
func (c *Cluster) UntilStack(ctx context.Context, namespace, name string, timeout time.Duration, what string, check func(*v1alpha1.Stack) bool) error {
	return Until(ctx, timeout, func(ctx context.Context) error {
		stack, err := c.Stack(ctx, namespace, name)
		if err == nil && !check(stack) {
			err = fmt.Errorf("stack %s is not %s: %s", name, what, Describe(stack))
		}
		return err
	})
}

// Describe says in a line where a Stack is.
func Describe(stack *v1alpha1.Stack) string {
	text := &strings.Builder{}
	for _, c := range stack.Status.Conditions {
		fmt.Fprintf(text, "%s=%s (%s: %s) ", c.Type, c.Status, c.Reason, c.Message)
	}
	for _, s := range stack.Status.Slots {
		fmt.Fprintf(text, "slot %s=%s %s; ", s.Name, s.State, s.Message)
	}
	return text.String()
}
