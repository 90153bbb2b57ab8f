package policies

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"github.com/florianl/go-nfqueue/v2"
	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/dataplane"
	"sigs.k8s.io/kube-network-policies/pkg/network"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// queue is where the kernel leaves packets to be judged.
const queue = 100

// judgeNew listens for packets, and then tells the kernel to bring those of new connections.
func judgeNew(ctx context.Context, engine *networkpolicy.PolicyEngine, pods netip.Prefix) error {
	packets, err := nfqueue.Open(&nfqueue.Config{
		NfQueue:      queue,
		MaxPacketLen: 128, // Addresses and ports.
		MaxQueueLen:  1024,
		Copymode:     nfqueue.NfQnlCopyPacket,
		Flags:        nfqueue.NfQaCfgFlagGSO, // Of a large packet, too, only the beginning is of interest.
	})
	if err != nil {
		return fmt.Errorf("the kernel's queue %d of packets: %w", queue, err)
	}
	judge := func(queued nfqueue.Attribute) int {
		verdict := nfqueue.NfDrop
		if packet, err := network.ParsePacket(*queued.Payload); err != nil {
			klog.ErrorS(err, "A packet that cannot be read is dropped")
		} else if allowed(ctx, engine, &packet) {
			verdict = nfqueue.NfAccept
		} else {
			klog.InfoS("Denied", "packet", words(&packet))
		}
		if err := packets.SetVerdict(*queued.PacketID, verdict); err != nil {
			klog.ErrorS(err, "A verdict was not taken")
		}
		return 0
	}
	missed := func(err error) int {
		if ctx.Err() == nil {
			klog.ErrorS(err, "Packets were not read")
		}
		return 0
	}
	if err := packets.RegisterWithErrorFunc(ctx, judge, missed); err != nil {
		return err
	}
	if err := writeRules(pods); err != nil {
		return fmt.Errorf("the kernel's rules (nf_tables, nft_compat, xt_NFQUEUE): %w", err)
	}
	return nil
}

func allowed(ctx context.Context, engine *networkpolicy.PolicyEngine, packet *network.Packet) bool {
	allowed, err := engine.EvaluatePacket(ctx, packet)
	if err != nil {
		klog.ErrorS(err, "A packet that cannot be judged is denied", "packet", words(packet))
	}
	return err == nil && allowed
}

func words(packet *network.Packet) string {
	return fmt.Sprintf("%s %v:%d to %v:%d", packet.Proto, packet.SrcIP, packet.SrcPort, packet.DstIP, packet.DstPort)
}

// writeRules replaces the table, in one step. Packets pass the first chain after a Service's address has become
// a pod's and before the node's replaces the sender's; what is for the node itself passes the second.
func writeRules(pods netip.Prefix) error {
	connection, err := nftables.New()
	if err != nil {
		return err
	}
	table := &nftables.Table{Name: "network-policies", Family: nftables.TableFamilyIPv4}
	connection.AddTable(table)
	connection.DelTable(table)
	connection.AddTable(table)
	chain := func(name string, hook *nftables.ChainHook, priority nftables.ChainPriority) *nftables.Chain {
		return connection.AddChain(&nftables.Chain{
			Name: name, Table: table, Type: nftables.ChainTypeFilter, Hooknum: hook, Priority: &priority})
	}
	rule := func(chain *nftables.Chain, expressions ...[]expr.Any) {
		var all []expr.Any
		for _, some := range expressions {
			all = append(all, some...)
		}
		connection.AddRule(&nftables.Rule{Table: table, Chain: chain, Exprs: all})
	}
	forwarded := chain("forwarded", nftables.ChainHookPostrouting, *nftables.ChainPriorityNATSource-5)
	received := chain("received", nftables.ChainHookInput, *nftables.ChainPriorityFilter)
	// The kubelet's probes and the API server's proxy are of the node, and root's.
	rule(forwarded, sentByRoot(), accept())
	for _, chain := range []*nftables.Chain{forwarded, received} {
		rule(chain, established(), accept())
		rule(chain, in(pods, sender), ask())
	}
	rule(forwarded, in(pods, receiver), ask())
	return connection.Flush()
}

// Where an IPv4 header has its addresses.
const (
	sender   = 12
	receiver = 16
)

func in(network netip.Prefix, offset uint32) []expr.Any {
	mask := net.CIDRMask(network.Bits(), 32)
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: 4},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: mask, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: network.Masked().Addr().AsSlice()},
	}
}

func established() []expr.Any {
	states := binaryutil.NativeEndian.PutUint32(expr.CtStateBitESTABLISHED | expr.CtStateBitRELATED)
	return []expr.Any{
		&expr.Ct{Register: 1, Key: expr.CtKeySTATE},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: 4, Mask: states, Xor: make([]byte, 4)},
		&expr.Cmp{Op: expr.CmpOpNeq, Register: 1, Data: make([]byte, 4)},
	}
}

func sentByRoot() []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeySKUID, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: make([]byte, 4)},
	}
}

func accept() []expr.Any {
	return []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}}
}

// ask is iptables' target, as it is there where nftables' own statement is not (CONFIG_NFT_QUEUE). Its one
// number is aligned like the kernel's longest.
func ask() []expr.Any {
	info := xt.Unknown(append(binaryutil.NativeEndian.PutUint16(queue), make([]byte, 6)...))
	return []expr.Any{&expr.Target{Name: "NFQUEUE", Info: &info}}
}

// judgeExisting makes the kernel forget the connections that are allowed no more: what still comes of them is
// judged as new, and goes on where policies allow it again.
func judgeExisting(ctx context.Context, engine *networkpolicy.PolicyEngine, pods netip.Prefix) error {
	own, err := netlink.AddrList(nil, unix.AF_INET)
	if err != nil {
		return err
	}
	node := make(map[string]bool, len(own))
	for _, address := range own {
		node[address.IP.String()] = true
	}
	filter := filter(func(flow *netlink.ConntrackFlow) bool {
		if !isOpen(flow) || node[flow.Forward.SrcIP.String()] {
			return false
		}
		packet := dataplane.PacketFromFlow(flow)
		if packet == nil || !(isIn(pods, packet.SrcIP) || isIn(pods, packet.DstIP)) || allowed(ctx, engine, packet) {
			return false
		}
		klog.InfoS("Cut", "packet", words(packet))
		return true
	})
	_, err = netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, filter)
	return err
}

// isOpen is whether packets may still come of it: most of what the kernel remembers has ended.
func isOpen(flow *netlink.ConntrackFlow) bool {
	switch flow.Forward.Protocol {
	case unix.IPPROTO_TCP:
		state, ok := flow.ProtoInfo.(*netlink.ProtoInfoTCP)
		return ok && state.State == nl.TCP_CONNTRACK_ESTABLISHED
	case unix.IPPROTO_UDP, unix.IPPROTO_SCTP:
		return true
	default:
		return false
	}
}

func isIn(network netip.Prefix, address net.IP) bool {
	parsed, ok := netip.AddrFromSlice(address)
	return ok && network.Contains(parsed.Unmap())
}

type filter func(*netlink.ConntrackFlow) bool

func (f filter) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool { return f(flow) }
