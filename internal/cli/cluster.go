package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	utilruntime "k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/lockstep-dev/lockstep/api/v1alpha1"
	"github.com/lockstep-dev/lockstep/internal/view"
)

// Cluster is a cluster as its user may see it.
type Cluster struct {
	client.WithWatch
	// Namespace that commands are about.
	Namespace string
	// Default is the namespace of the context, which a command that names none goes to.
	Default string
	// Config to connect with; nil where the cluster is a fake.
	Config *rest.Config
}

// Scheme knows the kinds that the commands read.
func Scheme() *runtime.Scheme {
	s := runtime.NewScheme()
	utilruntime.Must(clientgoscheme.AddToScheme(s))
	utilruntime.Must(apiextensionsv1.AddToScheme(s))
	utilruntime.Must(admissionv1.AddToScheme(s))
	utilruntime.Must(v1alpha1.AddToScheme(s))
	return s
}

// Connect makes a Cluster of kubectl's own flags and configuration.
func Connect(flags *genericclioptions.ConfigFlags) (*Cluster, error) {
	config, err := flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("no cluster to talk to: %w; name a context with --context, or a file with --kubeconfig", err)
	}
	config.QPS, config.Burst, config.UserAgent = 50, 100, "kubectl-lockstep"
	config.WarningHandler = rest.NoWarnings{}
	c, err := client.NewWithWatch(config, client.Options{Scheme: Scheme()})
	if err != nil {
		return nil, explain(err)
	}
	namespace, _, err := flags.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return nil, fmt.Errorf("no namespace: %w", err)
	}
	return &Cluster{WithWatch: c, Namespace: namespace, Default: contextNamespace(flags), Config: config}, nil
}

// contextNamespace is the namespace that a command without -n goes to.
func contextNamespace(flags *genericclioptions.ConfigFlags) string {
	raw, err := flags.ToRawKubeConfigLoader().RawConfig()
	if err != nil {
		return ""
	}
	name := raw.CurrentContext
	if flags.Context != nil && *flags.Context != "" && *flags.Context != raw.CurrentContext {
		return ""
	}
	if c := raw.Contexts[name]; c != nil && c.Namespace != "" {
		return c.Namespace
	}
	return metav1.NamespaceDefault
}

// stack is the cluster, and the Stack in it that a command is about.
func (a *app) stack(ctx context.Context, args []string) (*Cluster, *v1alpha1.Stack, error) {
	c, err := a.cluster()
	if err != nil {
		return nil, nil, err
	}
	stack, err := c.stack(ctx, args)
	return c, stack, err
}

// stack finds the Stack that a command is about: the one that is named, or the only one of the namespace.
func (c *Cluster) stack(ctx context.Context, args []string) (*v1alpha1.Stack, error) {
	if len(args) == 0 {
		return c.onlyStack(ctx)
	}
	name := strings.TrimPrefix(strings.TrimPrefix(args[0], "stack/"), "stacks/")
	found := &v1alpha1.Stack{}
	err := c.Get(ctx, client.ObjectKey{Namespace: c.Namespace, Name: name}, found)
	if apierrors.IsNotFound(err) {
		return nil, c.noSuch(ctx, name)
	}
	return found, explain(err)
}

func (c *Cluster) onlyStack(ctx context.Context) (*v1alpha1.Stack, error) {
	names, list, err := c.stacks(ctx)
	switch {
	case err != nil:
		return nil, explain(err)
	case len(names) == 0:
		return nil, fmt.Errorf("there is no Stack in namespace %s; name its namespace with -n", c.Namespace)
	case len(names) > 1:
		return nil, usagef("there are %d Stacks in namespace %s; name one of %s", len(names), c.Namespace, strings.Join(names, ", "))
	}
	return &list.Items[0], nil
}

func (c *Cluster) noSuch(ctx context.Context, name string) error {
	names, _, err := c.stacks(ctx)
	if err != nil || len(names) == 0 {
		return fmt.Errorf("there is no Stack %s in namespace %s; name its namespace with -n", name, c.Namespace)
	}
	return fmt.Errorf("there is no Stack %s in namespace %s; there is %s", name, c.Namespace, strings.Join(names, ", "))
}

func (c *Cluster) stacks(ctx context.Context) ([]string, *v1alpha1.StackList, error) {
	list := &v1alpha1.StackList{}
	if err := c.List(ctx, list, client.InNamespace(c.Namespace)); err != nil {
		return nil, nil, err
	}
	var names []string
	for _, s := range list.Items {
		names = append(names, s.Name)
	}
	return names, list, nil
}

// releases of a Stack.
func (c *Cluster) releases(ctx context.Context, s *v1alpha1.Stack) ([]v1alpha1.Release, error) {
	list := &v1alpha1.ReleaseList{}
	if err := c.List(ctx, list, client.InNamespace(s.Namespace)); err != nil {
		return nil, explain(err)
	}
	return slices.DeleteFunc(list.Items, func(r v1alpha1.Release) bool { return r.Spec.Stack != s.Name }), nil
}

func (c *Cluster) release(ctx context.Context, s *v1alpha1.Stack, name string) (*v1alpha1.Release, error) {
	r := &v1alpha1.Release{}
	err := c.Get(ctx, client.ObjectKey{Namespace: s.Namespace, Name: name}, r)
	missing := apierrors.IsNotFound(err) || (err == nil && r.Spec.Stack != s.Name)
	if deleted := view.LiveDeleted(s, nil); missing && name == unitOf(s).LiveRelease && deleted != "" {
		return nil, errors.New(deleted)
	}
	if missing {
		return nil, fmt.Errorf("there is no release %s of Stack %s; see kubectl lockstep history %s", name, s.Name, s.Name)
	}
	return r, explain(err)
}

// decisions about releases of a Stack. They are told by their release, as they carry no label.
func (c *Cluster) decisions(ctx context.Context, s *v1alpha1.Stack, releases []v1alpha1.Release) ([]v1alpha1.Decision, error) {
	list := &v1alpha1.DecisionList{}
	if err := c.List(ctx, list, client.InNamespace(s.Namespace)); err != nil {
		return nil, explain(err)
	}
	ours := func(d v1alpha1.Decision) bool {
		return slices.ContainsFunc(releases, func(r v1alpha1.Release) bool { return string(r.UID) == d.Spec.ReleaseUID })
	}
	return slices.DeleteFunc(list.Items, func(d v1alpha1.Decision) bool { return !ours(d) }), nil
}

// whoAmI is the user name as the API server knows it.
func (c *Cluster) whoAmI(ctx context.Context) (string, error) {
	review := &authenticationv1.SelfSubjectReview{}
	if err := c.Create(ctx, review); err != nil {
		return "", fmt.Errorf("the cluster does not say who you are, which a decision must name: %w", explain(err))
	}
	return review.Status.UserInfo.Username, nil
}
