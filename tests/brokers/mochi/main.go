// SPDX-License-Identifier: Apache-2.0

// The MQTT broker mochi for the tests. Its flags are what it announces and allows. The user "u" needs the password
// "pw"; whoever names no user may come in. Topics under deny/ may be neither read nor written.
// SIGTERM ends it in order; with -store sessions and messages outlive it.
package main

import (
	"flag"
	"log/slog"
	"math"
	"os"
	"os/signal"
	"strings"
	"syscall"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/hooks/storage/bolt"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
	"go.etcd.io/bbolt"
)

type access struct{ mqtt.HookBase }

func (*access) ID() string { return "access" }

func (*access) Provides(event byte) bool {
	return event == mqtt.OnConnectAuthenticate || event == mqtt.OnACLCheck
}

func (*access) OnConnectAuthenticate(_ *mqtt.Client, packet packets.Packet) bool {
	user, password := string(packet.Connect.Username), string(packet.Connect.Password)
	return user == "" || (user == "u" && password == "pw")
}

func (*access) OnACLCheck(_ *mqtt.Client, topic string, _ bool) bool {
	return !strings.HasPrefix(topic, "deny/")
}

// check ends the program where it cannot do its work.
func check(err error) {
	if err != nil {
		slog.Error("mochi", "error", err)
		os.Exit(1)
	}
}

func main() {
	address := flag.String("address", "127.0.0.1:1883", "where to listen")
	store := flag.String("store", "", "file of sessions and messages")
	receiveMaximum := flag.Uint("receive-maximum", 1024, "messages under way from a client")
	maximumPacket := flag.Uint("maximum-packet", 0, "bytes of a packet, 0: any")
	maximumQos := flag.Uint("maximum-qos", 2, "highest quality of service")
	retain := flag.Bool("retain", true, "keep retained messages")
	shared := flag.Bool("shared", true, "take shared subscriptions")
	expiry := flag.Uint("session-expiry", math.MaxUint32, "longest life of a session in seconds")
	flag.Parse()

	one := map[bool]byte{true: 1}
	can := mqtt.NewDefaultServerCapabilities()
	can.ReceiveMaximum = uint16(*receiveMaximum)
	can.MaximumPacketSize = uint32(*maximumPacket)
	can.MaximumQos = byte(*maximumQos)
	can.RetainAvailable = one[*retain]
	can.SharedSubAvailable = one[*shared]
	can.MaximumSessionExpiryInterval = uint32(*expiry)
	can.MaximumInflight = math.MaxUint16
	can.MaximumClientWritesPending = math.MaxUint16

	server := mqtt.New(&mqtt.Options{Capabilities: can})
	check(server.AddHook(new(access), nil))
	if *store != "" {
		// It outlives the program, not the machine: a sync for each message would be all that it does.
		options := &bolt.Options{Path: *store, Options: &bbolt.Options{NoSync: true}}
		check(server.AddHook(new(bolt.Hook), options))
	}
	check(server.AddListener(listeners.NewTCP(listeners.Config{ID: "tcp", Address: *address})))
	check(server.Serve())
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	<-end
	check(server.Close())
}
