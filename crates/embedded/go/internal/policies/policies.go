// Package policies enforces NetworkPolicies on a node. What they mean is kube-network-policies' business; this
// package brings it the first packet of each connection of a pod, and the connections there are when a policy
// has changed.
//
// That project's own way to the packets is not used: it needs nft_queue and labels of connections over netlink,
// which not every kernel has.
package policies

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/api"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
	"sigs.k8s.io/kube-network-policies/pkg/podinfo"
	"sigs.k8s.io/kube-network-policies/pkg/podinfo/nri"
)

type options struct {
	kubeconfig, node, pods, health string
}

// Command is the component. It ends with an error when the kernel or the API server refuse what it needs, and
// well on SIGTERM. Its rules stay: without it, no new connection of a pod is made.
func Command() *cobra.Command {
	var options options
	command := &cobra.Command{
		Use:           "network-policies",
		Short:         "Enforces NetworkPolicies on this node",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE: func(command *cobra.Command, _ []string) error {
			ctx, stop := signal.NotifyContext(command.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			return run(ctx, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.kubeconfig, "kubeconfig", "", "how to reach the API server")
	flags.StringVar(&options.node, "hostname-override", "", "the node's name")
	flags.StringVar(&options.pods, "cluster-cidr", "", "the addresses of pods")
	flags.StringVar(&options.health, "healthz-bind-address", "127.0.0.1:10258", "answers 200 once policies are enforced")
	return command
}

func run(ctx context.Context, options options) error {
	pods, err := netip.ParsePrefix(options.pods)
	if err != nil || !pods.Addr().Is4() {
		return fmt.Errorf("--cluster-cidr is %q: allowed is a network of IPv4 addresses, like 10.244.0.0/22", options.pods)
	}
	// A change of policy comes with many events: connections are judged once for all of them. They are at the
	// start, too: what was there before may be allowed no more.
	changed := make(chan struct{}, 1)
	change := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	change()
	judge, err := newJudge(ctx, options, pods, change)
	if err != nil {
		return err
	}
	if err := judge.listen(ctx); err != nil {
		return err
	}
	go func() {
		err := http.ListenAndServe(options.health, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		klog.Fatalf("%s: %v", options.health, err)
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		pause := 50 * time.Millisecond
		if err := judge.existing(ctx); err != nil {
			klog.ErrorS(err, "Open connections were not judged, and are again")
			change()
			pause = time.Second
		}
		time.Sleep(pause)
	}
}

// newJudge knows all policies and pods. Of a pod that the API server does not know to run, the container
// runtime tells the address before its first process starts.
func newJudge(ctx context.Context, options options, network netip.Prefix, change func()) (*judge, error) {
	config, err := clientcmd.BuildConfigFromFlags("", options.kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods, namespaces := factory.Core().V1().Pods(), factory.Core().V1().Namespaces()
	addresses, err := podinfo.NewInformerResolver(pods.Informer())
	if err != nil {
		return nil, err
	}
	runtime, err := nri.NewNRIResolver(ctx, options.node, namespaces)
	if err != nil {
		return nil, fmt.Errorf("the container runtime's plugins: %w", err)
	}
	known := podinfo.NewInformerProvider(pods, namespaces, nil, []podinfo.IPResolver{runtime, addresses})
	standard := networkpolicy.NewStandardNetworkPolicy(
		options.node, namespaces, pods, factory.Networking().V1().NetworkPolicies())
	all := podinfo.NewFallbackPodInfoProvider(known, runtime)
	engine := networkpolicy.NewPolicyEngine(all, []api.PolicyEvaluator{standard})
	engine.SetDataplaneSyncCallbacks(change)
	for _, informer := range []cache.SharedIndexInformer{pods.Informer(), namespaces.Informer()} {
		if _, err := informer.AddEventHandler(relabelled(change)); err != nil {
			return nil, err
		}
	}
	factory.Start(ctx.Done())
	for kind, synced := range factory.WaitForCacheSync(ctx.Done()) {
		if !synced {
			return nil, fmt.Errorf("the API server did not list %v", kind)
		}
	}
	return &judge{engine: engine, known: all, pods: network, cut: map[tuple]bool{}}, nil
}

// relabelled tells of other labels: the engine itself only looks at pods that a policy selects.
func relabelled(change func()) cache.ResourceEventHandlerFuncs {
	return cache.ResourceEventHandlerFuncs{UpdateFunc: func(before, after any) {
		was, is := before.(metav1.Object), after.(metav1.Object)
		if !maps.Equal(was.GetLabels(), is.GetLabels()) {
			change()
		}
	}}
}
