%% SPDX-License-Identifier: LGPL-2.1-or-later

%% Erlang: another node on this machine (distribution over loopback TCP,
%% erpc), and a port to a C program (4-byte packets on its stdin and stdout).
-module(erl_peer).
-export([main/1, inc/1, len/1, own/1, echo/1]).

-define(N, 10000).
-define(S64K, 65536).
-define(S1M, 1000000).
-define(S50M, 50000000).

main([PortProgram]) ->
    try
        node_rows(),
        port_rows(PortProgram)
    catch
        C:R:S ->
            io:format(standard_error, "~p~n", [{C, R, S}]),
            halt(1)
    end,
    halt(0).

%% ---- what the other node runs ----

inc(X) -> X + 1.
len(B) -> byte_size(B).
echo(B) -> B.

own(Size) ->
    case persistent_term:get({own, Size}, none) of
        none ->
            B = binary:copy(<<7>>, Size),
            persistent_term:put({own, Size}, B),
            B;
        B -> B
    end.

%% ---- another node ----

node_rows() ->
    Peer = "erl-node",
    Dir = filename:dirname(code:which(?MODULE)),
    Start = fun() ->
        {ok, Pid, Node} = peer:start(#{name => peer:random_name(), host => "localhost",
                                       args => ["-pa", Dir]}),
        2 = erpc:call(Node, ?MODULE, inc, [1]),
        {{Pid, Node}, fun() -> erpc:call(Node, os, getpid, []) end}
    end,
    Stop = fun({Pid, _}, OsPid) -> ok = peer:stop(Pid), until_gone(OsPid) end,
    bench_spawn(Peer, Start, Stop, 5),
    {{_, Node} = W, _} = Start(),
    bench(Peer, "noop_sync_us", fun() -> 2 = erpc:call(Node, ?MODULE, inc, [1]) end, 20, 400, 600),
    bench_rate(Peer, "pipelined_calls_per_s", fun() ->
        Ids = [erpc:send_request(Node, ?MODULE, inc, [1]) || _ <- lists:seq(1, ?N)],
        [2 = erpc:receive_response(Id) || Id <- Ids]
    end, ?N),
    bench_rate(Peer, "fire_and_forget_per_s", fun() ->
        [erpc:cast(Node, ?MODULE, inc, [1]) || _ <- lists:seq(1, ?N)],
        2 = erpc:call(Node, ?MODULE, inc, [1])
    end, ?N),
    Small = own(?S64K),
    Big = own(?S50M),
    bench(Peer, "echo_64KB_us", fun() -> touch(erpc:call(Node, ?MODULE, echo, [Small])) end,
          5, 200, 400),
    bench(Peer, "fetch_1MB_us", fun() -> touch(erpc:call(Node, ?MODULE, own, [?S1M])) end,
          2, 200, 400),
    bench(Peer, "fetch_50MB_ms", fun() -> touch(erpc:call(Node, ?MODULE, own, [?S50M])) end,
          1, 10, 600),
    bench(Peer, "send_50MB_ms", fun() -> ?S50M = erpc:call(Node, ?MODULE, len, [Big]) end,
          1, 10, 600),
    Stop(W, "none").

%% peer:stop/1 does not wait for the process: look until it is gone or a zombie
until_gone(OsPid) ->
    case file:read_file("/proc/" ++ OsPid ++ "/stat") of
        {ok, Text} ->
            case re:run(Text, "\\) Z") of
                nomatch -> erlang:yield(), until_gone(OsPid);
                _ -> ok
            end;
        _ -> ok
    end.

%% ---- a port ----

port_rows(Program) ->
    Peer = "erl-port-c",
    Start = fun() ->
        Port = open_port({spawn_executable, Program},
                         [{packet, 4}, binary, exit_status, use_stdio]),
        <<2:64/native>> = port_call(Port, [1, <<1:64/native>>]),
        {Port, fun() -> {os_pid, Pid} = erlang:port_info(Port, os_pid), integer_to_list(Pid) end}
    end,
    Stop = fun(Port, _) ->
        port_command(Port, [6]),
        receive {Port, {exit_status, 0}} -> ok end
    end,
    bench_spawn(Peer, Start, Stop, 15),
    {P, _} = Start(),
    bench(Peer, "noop_sync_us", fun() -> port_call(P, [1, <<1:64/native>>]) end, 20, 400, 600),
    bench_rate(Peer, "pipelined_calls_per_s", fun() ->
        [port_command(P, [1, <<1:64/native>>]) || _ <- lists:seq(1, ?N)],
        [receive {P, {data, <<2:64/native>>}} -> ok end || _ <- lists:seq(1, ?N)]
    end, ?N),
    bench_rate(Peer, "fire_and_forget_per_s", fun() ->
        [port_command(P, [2, <<1:64/native>>]) || _ <- lists:seq(1, ?N)],
        port_call(P, [1, <<1:64/native>>])
    end, ?N),
    Small = own(?S64K),
    Big = own(?S50M),
    bench(Peer, "echo_64KB_us", fun() -> touch(port_call(P, [4, Small])) end, 5, 200, 400),
    bench(Peer, "fetch_1MB_us", fun() -> touch(port_call(P, [3, <<?S1M:64/native>>])) end,
          2, 200, 400),
    bench(Peer, "fetch_50MB_ms", fun() -> touch(port_call(P, [3, <<?S50M:64/native>>])) end,
          1, 10, 600),
    bench(Peer, "send_50MB_ms", fun() -> <<?S50M:64/native>> = port_call(P, [5, Big]) end,
          1, 10, 600),
    Stop(P, none).

port_call(Port, Data) ->
    port_command(Port, Data),
    receive {Port, {data, B}} -> B end.

%% ---- measuring ----

now_us() -> erlang:monotonic_time(nanosecond) / 1000.

%% how long to measure, beside what is written here
scale() ->
    case string:to_float(os:getenv("PEERS_SCALE", "1.0")) of
        {error, _} -> 1.0;
        {Scale, _} -> Scale
    end.

touch(B) -> touch(B, 0, 0).
touch(B, I, Sum) when I < byte_size(B) -> touch(B, I + 4096, Sum + binary:at(B, I));
touch(_, _, Sum) -> Sum.

repeat(_, 0) -> ok;
repeat(F, K) -> F(), repeat(F, K - 1).

bench(Peer, Row, F, K, MaxN, BudgetMs) ->
    repeat(F, 3),
    Div = case lists:suffix("_us", Row) of true -> 1; false -> 1000 end,
    One = fun() -> T = now_us(), repeat(F, K), (now_us() - T) / K / Div end,
    report(Peer, Row, sample(One, 7, MaxN, now_us() + BudgetMs * 1000 * scale(), [])).

bench_rate(Peer, Row, F, Calls) ->
    F(),
    One = fun() -> T = now_us(), F(), Calls / (now_us() - T) * 1.0e6 end,
    report(Peer, Row, sample(One, 5, 30, now_us() + 800000 * scale(), [])).

sample(One, MinN, MaxN, End, Acc) ->
    N = length(Acc),
    case N < MaxN andalso (N < max(3, round(MinN * scale())) orelse now_us() < End) of
        true ->
            erlang:garbage_collect(), % binaries of earlier calls
            V = One(),
            sample(One, MinN, MaxN, End, [V | Acc]);
        false -> Acc
    end.

bench_spawn(Peer, Start, Stop, N) ->
    All = [begin
        T0 = now_us(),
        {W, GetPid} = Start(),
        T1 = now_us(),
        Pid = GetPid(),
        timer:sleep(50),
        Pss = pss_kb(Pid),
        T2 = now_us(),
        Stop(W, Pid),
        T3 = now_us(),
        {(T1 - T0) / 1000, (T3 - T2) / 1000, Pss}
    end || _ <- lists:seq(0, max(3, round(N * scale())))],
    Rest = tl(All),
    report(Peer, "spawn_ms", [A || {A, _, _} <- Rest]),
    report(Peer, "stop_ms", [B || {_, B, _} <- Rest]),
    report(Peer, "idle_worker_pss_kb", [C || {_, _, C} <- Rest]).

pss_kb(Pid) ->
    {ok, Text} = file:read_file("/proc/" ++ Pid ++ "/smaps_rollup"),
    {match, [Kb]} = re:run(Text, "Pss:\\s+(\\d+)", [{capture, [1], list}]),
    list_to_integer(Kb) * 1.0.

unit_of(Row) ->
    case {lists:suffix("_per_s", Row), lists:nthtail(length(Row) - 2, Row)} of
        {true, _} -> "1/s";
        {_, "kb"} -> "kB";
        {_, Two} -> Two
    end.

report(Peer, Row, Values) ->
    V = lists:sort(Values),
    N = length(V),
    Median = case N rem 2 of
        1 -> lists:nth(N div 2 + 1, V);
        0 -> (lists:nth(N div 2, V) + lists:nth(N div 2 + 1, V)) / 2
    end,
    io:format("{\"peer\": \"~s\", \"row\": \"~s\", \"unit\": \"~s\", \"median\": ~.4f, "
              "\"min\": ~.4f, \"max\": ~.4f, \"n\": ~b}~n",
              [Peer, Row, unit_of(Row), Median * 1.0, hd(V) * 1.0, lists:last(V) * 1.0, N]).
