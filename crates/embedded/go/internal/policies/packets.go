package policies

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"sync"

	"github.com/florianl/go-nfqueue/v2"
	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"github.com/google/nftables/xt"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
	v1 "k8s.io/api/core/v1"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/api"
	"sigs.k8s.io/kube-network-policies/pkg/dataplane"
	"sigs.k8s.io/kube-network-policies/pkg/network"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

// queue is where the kernel leaves packets to be judged.
const queue = 100

// judge says what may pass.
type judge struct {
	engine *networkpolicy.PolicyEngine
	known  api.PodInfoProvider
	pods   netip.Prefix

	lock sync.Mutex
	// cut are the connections that the kernel was made to forget, as they were opened.
	cut map[tuple]bool
}

// tuple is a connection, in one direction.
type tuple struct {
	protocol         v1.Protocol
	sender, receiver netip.AddrPort
}

// remembered is how many connections that were cut are remembered at most.
const remembered = 10_000

// listen takes packets, and then tells the kernel to bring those of new connections.
func (j *judge) listen(ctx context.Context) error {
	packets, err := nfqueue.Open(&nfqueue.Config{
		NfQueue:      queue,
		MaxPacketLen: 128, // Addresses and ports.
		MaxQueueLen:  1024,
		Copymode:     nfqueue.NfQnlCopyPacket,
		Flags:        nfqueue.NfQaCfgFlagGSO, // Of a large packet, too, only the beginning is of interest.
	})
	if err != nil {
		return fmt.Errorf("the kernel's queue %d of packets (nfnetlink_queue): %w", queue, err)
	}
	answer := func(queued nfqueue.Attribute) int {
		verdict := nfqueue.NfDrop
		if packet, err := network.ParsePacket(*queued.Payload); err != nil {
			klog.ErrorS(err, "A packet that cannot be read is dropped")
		} else if j.allows(ctx, &packet) {
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
	if err := packets.RegisterWithErrorFunc(ctx, answer, missed); err != nil {
		return err
	}
	if err := writeRules(j.pods); err != nil {
		return fmt.Errorf("the kernel's rules (nf_tables, nft_compat, xt_NFQUEUE): %w", err)
	}
	return nil
}

func (j *judge) allows(ctx context.Context, packet *network.Packet) bool {
	packet = j.asOpened(packet)
	for _, address := range []net.IP{packet.SrcIP, packet.DstIP} {
		// No policy would select it: it waits until it is known whose it is.
		if _, known := j.known.GetPodInfoByIP(address.String()); j.isPod(address) && !known {
			return false
		}
	}
	allowed, err := j.engine.EvaluatePacket(ctx, packet)
	if err != nil {
		klog.ErrorS(err, "A packet that cannot be judged is denied", "packet", words(packet))
	}
	return err == nil && allowed
}

// isPod is whether an address is for pods. The first one is the node's.
func (j *judge) isPod(address net.IP) bool {
	parsed, ok := netip.AddrFromSlice(address)
	return ok && j.pods.Contains(parsed.Unmap()) && parsed.Unmap() != j.pods.Masked().Addr().Next()
}

// asOpened turns what the other end sends of a connection that was cut: the kernel takes it for the first packet
// of a connection the other way.
func (j *judge) asOpened(packet *network.Packet) *network.Packet {
	turned := *packet
	turned.SrcIP, turned.DstIP = packet.DstIP, packet.SrcIP
	turned.SrcPort, turned.DstPort = packet.DstPort, packet.SrcPort
	j.lock.Lock()
	defer j.lock.Unlock()
	if j.cut[tupleOf(&turned)] {
		return &turned
	}
	return packet
}

func (j *judge) remember(packet *network.Packet) {
	j.lock.Lock()
	defer j.lock.Unlock()
	if len(j.cut) >= remembered {
		clear(j.cut)
	}
	j.cut[tupleOf(packet)] = true
}

func tupleOf(packet *network.Packet) tuple {
	end := func(address net.IP, port int) netip.AddrPort {
		parsed, _ := netip.AddrFromSlice(address)
		return netip.AddrPortFrom(parsed.Unmap(), uint16(port))
	}
	return tuple{packet.Proto, end(packet.SrcIP, packet.SrcPort), end(packet.DstIP, packet.DstPort)}
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

// existing makes the kernel forget the connections that are allowed no more: what still comes of them is judged
// as if it were new.
func (j *judge) existing(ctx context.Context) error {
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
		if packet == nil || !(j.isPod(packet.SrcIP) || j.isPod(packet.DstIP)) || j.allows(ctx, packet) {
			return false
		}
		j.remember(j.asOpened(packet))
		klog.InfoS("Cut", "packet", words(packet))
		return true
	})
	_, err = netlink.ConntrackDeleteFilters(netlink.ConntrackTable, unix.AF_INET, filter)
	return err
}

// isOpen is whether anything may still come of it.
func isOpen(flow *netlink.ConntrackFlow) bool {
	switch flow.Forward.Protocol {
	case unix.IPPROTO_TCP:
		state, ok := flow.ProtoInfo.(*netlink.ProtoInfoTCP)
		return ok && !slices.Contains(ended, state.State)
	case unix.IPPROTO_UDP, unix.IPPROTO_SCTP:
		return true
	default:
		return false
	}
}

var ended = []uint8{nl.TCP_CONNTRACK_NONE, nl.TCP_CONNTRACK_LAST_ACK, nl.TCP_CONNTRACK_TIME_WAIT, nl.TCP_CONNTRACK_CLOSE}

type filter func(*netlink.ConntrackFlow) bool

func (f filter) MatchConntrackFlow(flow *netlink.ConntrackFlow) bool { return f(flow) }
