package policies

import (
	"context"
	"net"
	"net/netip"
	"testing"

	v1 "k8s.io/api/core/v1"
	"sigs.k8s.io/kube-network-policies/pkg/api"
	"sigs.k8s.io/kube-network-policies/pkg/network"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// oneWay lets through what goes to its port.
type oneWay struct {
	api.PolicyEvaluator
	port int
}

func (o *oneWay) EvaluateEgress(context.Context, *network.Packet, *api.PodInfo, *api.PodInfo) (api.Verdict, error) {
	return api.VerdictNext, nil
}

func (o *oneWay) EvaluateIngress(_ context.Context, p *network.Packet, _, _ *api.PodInfo) (api.Verdict, error) {
	if p.DstPort == o.port {
		return api.VerdictAccept, nil
	}
	return api.VerdictDeny, nil
}

// pods knows some addresses.
type pods map[string]bool

func (p pods) GetPodInfoByIP(ip string) (*api.PodInfo, bool) { return &api.PodInfo{}, p[ip] }

func packet(from string, fromPort int, to string, toPort int) *network.Packet {
	return &network.Packet{
		Family: v1.IPv4Protocol, Proto: v1.ProtocolTCP,
		SrcIP: net.ParseIP(from), SrcPort: fromPort, DstIP: net.ParseIP(to), DstPort: toPort,
	}
}

func judging(policy *oneWay) *judge {
	known := pods{"10.244.0.2": true, "10.244.0.3": true}
	return &judge{
		engine: networkpolicy.NewPolicyEngine(known, []api.PolicyEvaluator{policy}),
		known:  known, pods: netip.MustParsePrefix("10.244.0.0/22"), cut: map[tuple]bool{},
	}
}

func TestWhatTheOtherEndSendsOfACutConnectionDoesNotReviveIt(t *testing.T) {
	policy := &oneWay{port: 40000}
	j := judging(policy)
	request := packet("10.244.0.2", 40000, "10.244.0.3", 8080)
	answer := packet("10.244.0.3", 8080, "10.244.0.2", 40000)
	if j.allows(t.Context(), request) || !j.allows(t.Context(), answer) {
		t.Fatal("the policy allows the one way only")
	}
	j.remember(request)
	if j.allows(t.Context(), answer) {
		t.Error("the answer is taken for a connection of its own")
	}
	policy.port = 8080
	if !j.allows(t.Context(), answer) || !j.allows(t.Context(), request) {
		t.Error("it does not go on although it is allowed again")
	}
}

func TestAnAddressThatNobodyKnowsIsDenied(t *testing.T) {
	j := judging(&oneWay{port: 80})
	for from, allowed := range map[string]bool{
		"10.244.0.2": true, "10.244.0.9": false, "10.244.0.1": true, "192.0.2.1": true,
	} {
		if j.allows(t.Context(), packet(from, 40000, "10.244.0.3", 80)) != allowed {
			t.Errorf("%s: allowed is not %v", from, allowed)
		}
	}
}
